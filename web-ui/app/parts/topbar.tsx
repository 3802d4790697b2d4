/** The bar on top of every page: where one can go, whether the server answers, token and theme. */

import { useEffect, useState } from "preact/hooks";
import { clock, duration } from "../model/format";
import { href, type Route } from "../model/route";
import type { Place } from "../net/place";
import { connection } from "../net/poll";
import { useSignal } from "../net/signal";
import { keepToken, token } from "../net/token";
import { chooseTheme, chosenTheme, nextTheme, type Theme } from "../theme";
import { Dialog, TokenForm } from "./dialog";

interface TopBarProps {
  route: Route;
  place: Place | null;
  openHelp: () => void;
}

export function TopBar({ route, place, openHelp }: TopBarProps) {
  return (
    <header class="topbar">
      <a class="brand" href="#/">
        <Logo />
        Weir
      </a>
      <nav class="main-nav" aria-label="Pages">
        {place === null ? null : linksOf(place).map((link) => (
          <a key={link.title} href={link.href} aria-current={link.pages.includes(route.page) ? "page" : undefined}>
            {link.title}
          </a>
        ))}
      </nav>
      <div class="topbar-end">
        {place?.kind === "app-master" && place.application !== null ? (
          <a class="quiet-link" href="../../#/">
            Cluster
          </a>
        ) : null}
        <Access />
        <button type="button" class="icon-button" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={openHelp}>
          ?
        </button>
        <ThemeToggle />
      </div>
    </header>
  );
}

interface NavLink {
  title: string;
  href: string;
  pages: readonly Route["page"][];
}

function linksOf(place: Place): NavLink[] {
  const jobs: NavLink = { title: "Jobs", href: href({ page: "jobs" }), pages: ["jobs", "job"] };
  const overview: NavLink = { title: "Overview", href: "#/", pages: ["overview"] };
  if (place.kind === "app-master") return [overview, jobs];
  return [
    overview,
    { title: "Applications", href: href({ page: "applications", show: "all", search: "" }), pages: ["applications", "application"] },
    jobs,
    { title: "Nodes", href: href({ page: "nodes" }), pages: ["nodes", "node", "log"] },
  ];
}

function Logo() {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d="M2 8c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.3 3 6.7 3" />
      <path d="M2 15c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.3 3 6.7 3" opacity="0.55" />
    </svg>
  );
}

/** Whether changes can be made. */
function Access() {
  const current = useSignal(token);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (current !== null) setOpen(false);
  }, [current]);
  if (current !== null) {
    return (
      <button type="button" class="quiet-button" title="The token is kept until this tab is closed" onClick={() => keepToken(null)}>
        Forget token
      </button>
    );
  }
  return (
    <>
      <button type="button" class="quiet-button" title="Killing and cancelling need the cluster's token" onClick={() => setOpen(true)}>
        Read only
      </button>
      {isOpen ? (
        <Dialog title="Make changes" close={() => setOpen(false)}>
          <TokenForm close={() => setOpen(false)} />
        </Dialog>
      ) : null}
    </>
  );
}

const THEME_MARKS: Record<Theme, string> = { system: "◐", light: "☀", dark: "☾" };

function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  const toggle = () => {
    const next = nextTheme(theme);
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" class="icon-button" aria-label={`Colour theme: ${theme}`} title={`Colour theme: ${theme}`} onClick={toggle}>
      <span aria-hidden="true">{THEME_MARKS[theme]}</span>
    </button>
  );
}

const TICK_MS = 1_000;

/** Says that what is in view is old. */
export function ConnectionNotice() {
  const { isLost, lastAnswerAt } = useSignal(connection);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isLost) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [isLost]);
  return (
    <div class="connection" role="status">
      {isLost && lastAnswerAt !== null ? (
        <p>
          <strong>Connection lost.</strong> What you see is from {clock(lastAnswerAt)},{" "}
          <span class="steady">{duration(Math.max(1000, now - lastAnswerAt))}</span> ago. Trying again.
        </p>
      ) : null}
    </div>
  );
}
