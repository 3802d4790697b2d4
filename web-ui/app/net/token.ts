/**
 * The token that changing calls carry. It comes in the fragment of the address, which browsers do
 * not send, is taken out of it at once, and lives as long as the tab.
 */

import { takeToken } from "../model/route";
import { Signal } from "./signal";

const KEY = "weir.token";

export const token = new Signal<string | null>(stored());

/** Takes a token out of the address; the rest of the address stays. */
export function takeTokenFromAddress(): void {
  const { token: found, rest } = takeToken(location.hash);
  if (rest !== location.hash) history.replaceState(history.state, "", rest);
  if (found !== null) keepToken(found);
}

/** Uses a token from now on, or none. */
export function keepToken(next: string | null): void {
  token.value = next;
  try {
    if (next === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, next);
  } catch {
    // Storage may be forbidden; the token then lasts until the page is loaded again.
  }
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
