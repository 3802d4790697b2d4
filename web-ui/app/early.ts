/** Runs before the page is drawn. */

import { apply, chosenTheme } from "./theme";

apply(chosenTheme());
