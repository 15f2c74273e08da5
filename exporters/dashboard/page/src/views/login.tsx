/** The login form, shown if the agent requires a token. */
import { useSignal } from '@preact/signals';
import { login } from '../state/api-client.ts';
import { connect } from '../state/live.ts';

export function LoginView() {
  const token = useSignal('');
  const problem = useSignal('');
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await login(token.value.trim());
      connect();
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <h1>Token required</h1>
        <p>
          The agent allows remote access, so a token is required. You find it in the file <code>token</code>{' '}
          in the agent's <code>data_dir</code>. The agent also logs the token once, when it generates it.
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
        {problem.value === '' ? null : (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        )}
        <button type="submit">Log in</button>
      </form>
    </main>
  );
}
