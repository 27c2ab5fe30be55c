const KEY = 'amr.token';

/**
 * The access token of this tab: from the address (`#token=…`), once, or set by hand. It stays in this tab's storage and leaves the
 * address bar, so that it gets into no history and no bookmark.
 */
export function takeToken(): void {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token');
  if (token === null) return;
  storeToken(token);
  window.history.replaceState(null, '', window.location.pathname + window.location.search);
}

export function storedToken(): string {
  return window.sessionStorage.getItem(KEY) ?? '';
}

export function storeToken(token: string): void {
  if (token === '') window.sessionStorage.removeItem(KEY);
  else window.sessionStorage.setItem(KEY, token);
}

/** What requests and sockets carry; nothing where there is no token. */
export function authorization(): Record<string, string> {
  const token = storedToken();
  return token === '' ? {} : { authorization: `Bearer ${token}` };
}
