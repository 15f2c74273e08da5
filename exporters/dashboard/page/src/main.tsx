import { render } from 'preact';
import { App } from './app.tsx';
import { login } from './state/api-client.ts';
import { connect } from './state/live.ts';
import { decoded } from './state/route.ts';
import './style/base.css';
import './style/frame.css';
import './style/parts.css';
import './style/containers.css';
import './style/subject.css';
import './style/events.css';
import './style/pages.css';
import './style/alerts.css';
import './style/namespaces.css';
import './style/dialogs.css';
import './style/narrow.css';
import './state/theme.ts';

/** Logs in with a token from the address (`#token=…`, which browsers send to no server) and removes it from there. */
async function loginFromAddress(): Promise<void> {
  const encoded = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (encoded === undefined) return;
  history.replaceState(null, '', location.pathname);
  const token = decoded(encoded);
  if (token !== undefined) await login(token).catch(() => {});
}

render(<App />, document.body);
void loginFromAddress().then(connect);
