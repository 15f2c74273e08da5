/** Asks for the token, where the agent listens beyond its own machine. */
import { useSignal } from '@preact/signals';
import { login } from '../state/api-client.ts';
import { connect } from '../state/live.ts';

export function LoginView() {
  const token = useSignal('');
  const mistake = useSignal('');
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await login(token.value.trim());
      connect();
    } catch (error) {
      mistake.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <h1>This agent wants its token</h1>
        <p>
          It is reached from other machines, so only those who know its token may look. The agent tells it
          once, when it makes it; it is the text of the file <code>token</code> in its <code>data_dir</code>.
        </p>
        <label>
          Token
          <input
            type="password"
            autocomplete="current-password"
            value={token.value}
            onInput={(event) => {
              token.value = event.currentTarget.value;
            }}
          />
        </label>
        {mistake.value === '' ? null : (
          <p class="mistake" role="alert">
            {mistake.value}
          </p>
        )}
        <button type="submit">Show me the containers</button>
      </form>
    </main>
  );
}
