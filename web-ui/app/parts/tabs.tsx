/** Tabs whose views have addresses: links, one of them current. The arrow keys move between them. */

import type { TargetedKeyboardEvent } from "preact";

export interface Tab {
  title: string;
  href: string;
  isCurrent: boolean;
  /** A number beside the title. */
  count?: number | undefined;
}

export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  return (
    <nav class="tabs" aria-label={label} onKeyDown={moveBetweenTabs}>
      {tabs.map((tab) => (
        <a key={tab.title} href={tab.href} aria-current={tab.isCurrent ? "page" : undefined} data-quiet>
          {tab.title}
          {tab.count === undefined ? null : <span class="tab-count">{tab.count}</span>}
        </a>
      ))}
    </nav>
  );
}

function moveBetweenTabs(event: TargetedKeyboardEvent<HTMLElement>): void {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("a")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = links[at + (event.key === "ArrowRight" ? 1 : -1)];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  next.focus();
}
