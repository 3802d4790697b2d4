/** The head of a page: its title, where it stands, and what can be done. Also names the tab. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

interface HeadingProps {
  title: string;
  /** The pages above this one, outermost first. */
  trail?: readonly { title: string; href: string }[];
  /** Beside the title. */
  badge?: ComponentChildren;
  /** To the right. */
  actions?: ComponentChildren;
  /** In the title of the tab. */
  state?: string | undefined;
}

export function Heading({ title, trail = [], badge, actions, state }: HeadingProps) {
  useEffect(() => {
    document.title = [title, state, "Weir"].filter((part) => part !== undefined).join(" · ");
  }, [title, state]);
  return (
    <div class="page-head">
      {trail.length === 0 ? null : (
        <nav class="trail" aria-label="Where this page is">
          {trail.map((step) => (
            <a key={step.href} href={step.href}>
              {step.title}
            </a>
          ))}
        </nav>
      )}
      <div class="page-title">
        <h1 tabIndex={-1}>{title}</h1>
        {badge}
        <div class="page-actions">{actions}</div>
      </div>
    </div>
  );
}
