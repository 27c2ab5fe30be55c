import type { GraphiQLPlugin } from '@graphiql/react';
import { useState, type FormEvent } from 'react';
import { storedToken, storeToken } from './token.js';

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <circle cx="8" cy="15" r="4.5" />
      <path d="M11.5 11.5 20 3M16 7l3 3" />
    </svg>
  );
}

function Content() {
  const [token, setToken] = useState(storedToken);
  const use = (event: FormEvent) => {
    event.preventDefault();
    storeToken(token.trim().replace(/^Bearer\s+/i, ''));
    // The schema and every socket are asked for anew.
    window.location.reload();
  };
  return (
    <form className="amr-token" onSubmit={use}>
      <h2>Access token</h2>
      <label>
        Sent as <code>Authorization: Bearer …</code> with all operations of this tab, and forgotten with it. Empty: none
        is sent.
        <input
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
      </label>
      <button type="submit" className="graphiql-button">
        Use it
      </button>
    </form>
  );
}

/** A panel to see that there is a token, and to set another. */
export const tokenPlugin: GraphiQLPlugin = { title: 'Access token', icon: Icon, content: Content };
