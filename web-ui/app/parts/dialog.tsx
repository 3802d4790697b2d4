/**
 * Dialogs, and calls that change something: confirmed first, sent with the token, and asked for the
 * token when there is none or it is refused.
 */

import type { ComponentChildren, TargetedSubmitEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { tokenInText } from "../model/route";
import { change, Failure } from "../net/client";
import { usePlace } from "../net/place";
import { refresh } from "../net/poll";
import { useSignal } from "../net/signal";
import { keepToken, token } from "../net/token";

interface DialogProps {
  title: string;
  close: () => void;
  children: ComponentChildren;
}

/** A modal dialog. Esc closes it, and the focus goes back to where it was. */
export function Dialog({ title, close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement || before instanceof SVGElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} class="dialog" aria-label={title} onClose={close}>
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}

interface ActionProps {
  /** On the button: `Cancel job`. */
  name: string;
  /** What the dialog asks. */
  question: string;
  /** What will happen. */
  children: ComponentChildren;
  call: { method: "PUT" | "PATCH"; path: string; body: unknown };
  /** Addresses to look at again afterwards. */
  affects: string;
  isDisabled?: boolean;
  /** What the button says while it cannot be used. */
  disabledName?: string;
}

/** A button for a call that ends something. */
export function DangerAction(props: ActionProps) {
  const [isOpen, setOpen] = useState(false);
  const [sent, setSent] = useState("");
  const isDisabled = props.isDisabled === true;
  return (
    <>
      <span class="action-note" role="status">
        {isDisabled ? "" : sent}
      </span>
      <button type="button" class="button button-danger" disabled={isDisabled} onClick={() => setOpen(true)}>
        {isDisabled ? (props.disabledName ?? props.name) : props.name}
      </button>
      {isOpen ? <ActionDialog {...props} close={() => setOpen(false)} done={() => setSent("Request sent")} /> : null}
    </>
  );
}

type ActionDialogProps = ActionProps & { close: () => void; done: () => void };

function ActionDialog(props: ActionDialogProps) {
  const current = useSignal(token);
  const [problem, setProblem] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  const send = async () => {
    if (current === null) return;
    setSending(true);
    setProblem(null);
    try {
      await change(props.call.method, props.call.path, current, props.call.body);
      props.done();
      props.close();
      refresh(props.affects);
    } catch (error) {
      if (error instanceof Failure && error.kind === "refused") keepToken(null);
      setProblem(error instanceof Error ? error.message : String(error));
      setSending(false);
    }
  };
  return (
    <Dialog title={props.question} close={props.close}>
      <p>{props.children}</p>
      {problem === null ? null : (
        <p class="notice notice-bad" role="alert">
          {problem}
        </p>
      )}
      {current === null ? <TokenForm close={props.close} /> : (
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={props.close}>
            Keep it running
          </button>
          <button type="button" class="button button-danger-solid" disabled={isSending} onClick={() => void send()}>
            {isSending ? "Sending…" : props.name}
          </button>
        </div>
      )}
    </Dialog>
  );
}

/** Asks for the token and says where it is. */
export function TokenForm({ close }: { close: () => void }) {
  const place = usePlace();
  const [text, setText] = useState("");
  const [isBad, setBad] = useState(false);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const found = tokenInText(text);
    setBad(found === null);
    if (found !== null) keepToken(found);
  };
  return (
    <form onSubmit={submit}>
      <p>
        Changes need the cluster's token. The address that <code>weir cluster start</code> printed carries it; it is also
        in the file <code>token</code> of the cluster's data folder, by default <code>~/.weir/token</code>.
      </p>
      {place.kind === "app-master" && place.application === null ? (
        <p>This page comes from the app master itself, which does not know that token: open the job at the resource manager.</p>
      ) : null}
      <label class="field">
        Token, or the whole address
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={text}
          aria-invalid={isBad}
          onInput={(event) => setText(event.currentTarget.value)}
          autofocus
        />
      </label>
      {isBad ? (
        <p class="notice notice-bad" role="alert">
          That is neither a token nor an address with <code>#token=</code> in it.
        </p>
      ) : null}
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={close}>
          Close
        </button>
        <button type="submit" class="button button-solid">
          Use this token
        </button>
      </div>
    </form>
  );
}
