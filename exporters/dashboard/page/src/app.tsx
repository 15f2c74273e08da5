/** The frame around the views: navigation, connection state and global keys. */

import { duration } from './lib/format.ts';
import { useKeys } from './lib/keys.ts';
import { isHelpShown, KeyboardHelp } from './parts/help.tsx';
import { needsToken } from './state/api-client.ts';
import { about, alerts, isDaemonConnected, isLive, lastMessageAt, now } from './state/live.ts';
import { go, hrefOf, route, views } from './state/route.ts';
import { switchTheme, theme } from './state/theme.ts';
import { AgentView } from './views/agent.tsx';
import { AlertsView } from './views/alerts.tsx';
import { ContainerView } from './views/container.tsx';
import { ContainersView } from './views/containers.tsx';
import { EventsView } from './views/events.tsx';
import { HostView } from './views/host.tsx';
import { LoginView } from './views/login.tsx';
import { NamespacesView } from './views/namespaces.tsx';

function View() {
  switch (route.value.view) {
    case 'container':
      return <ContainerView key={route.value.id} id={route.value.id} />;
    case 'events':
      return <EventsView />;
    case 'alerts':
      return <AlertsView />;
    case 'namespaces':
      return <NamespacesView />;
    case 'host':
      return <HostView />;
    case 'agent':
      return <AgentView />;
    default:
      return <ContainersView />;
  }
}

function Live() {
  const silence = now.value - lastMessageAt.value;
  if (!isLive.value)
    return (
      <span class="live away">
        {lastMessageAt.value === 0 ? 'connecting' : `no answer for ${duration(silence)}`}
      </span>
    );
  if (!isDaemonConnected.value) return <span class="live away">daemon disconnected</span>;
  return <span class="live">live</span>;
}

function Bar() {
  const { view } = route.value;
  const firing = alerts.value.filter(({ status }) => status === 'firing').length;
  return (
    <header class="bar">
      <a class="brand" href={hrefOf('containers')}>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="6.5" />
          <path d="M8 3a5 5 0 0 0 0 10z" />
        </svg>
        portlight
      </a>
      <nav aria-label="Views">
        {views.map((name) => (
          <a
            key={name}
            href={hrefOf(name)}
            aria-current={
              name === view || (name === 'containers' && view === 'container') ? 'page' : undefined
            }
          >
            {name[0]!.toUpperCase() + name.slice(1)}
            {name === 'alerts' && firing > 0 ? <span class="badge critical">{firing}</span> : null}
          </a>
        ))}
      </nav>
      <span class="where">
        <bdi>{about.value.host}</bdi>
      </span>
      <span role="status">
        <Live />
      </span>
      <button
        type="button"
        class="icon"
        onClick={switchTheme}
        aria-label={theme.value === 'dark' ? 'Light colours' : 'Dark colours'}
        title={theme.value === 'dark' ? 'Light colours (t)' : 'Dark colours (t)'}
      >
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="5.5" />
          <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" />
        </svg>
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Keyboard"
        title="Keyboard (?)"
        onClick={() => {
          isHelpShown.value = true;
        }}
      >
        ?
      </button>
    </header>
  );
}

export function App() {
  useKeys(
    {
      '?': () => {
        isHelpShown.value = true;
      },
      t: switchTheme,
      ...Object.fromEntries(views.map((name, index) => [String(index + 1), () => go(hrefOf(name))])),
    },
    true,
  );
  return (
    <>
      <Bar />
      {needsToken.value ? <LoginView /> : <View />}
      <KeyboardHelp />
    </>
  );
}
