/** Where the page begins: the token is taken out of the address before anything else is done. */

import { render } from "preact";
import { App } from "./app";
import { takeTokenFromAddress } from "./net/token";

takeTokenFromAddress();
addEventListener("hashchange", takeTokenFromAddress);

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
