const KEY = 'amr-token';

/**
 * The token of this tab. One that came in the fragment of the address, which browsers do not send, is kept for as long as
 * the tab is open, and taken out of the address bar and the history.
 */
export function takeToken(): string | undefined {
  const { hash, pathname, search } = window.location;
  const given = new URLSearchParams(hash.slice(1)).get('token');
  if (given) {
    window.sessionStorage.setItem(KEY, given);
    window.history.replaceState(null, '', pathname + search);
  }
  return window.sessionStorage.getItem(KEY) ?? undefined;
}
