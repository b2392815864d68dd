// What all views share: the notice above them, questions before something is done, and which deployment this is.

import { button, el, shown } from "./dom.js";

const by = (id) => document.getElementById(id);
export const where = { kind: "unknown", name: "an unknown deployment", about: null };

/** Show which deployment this is, so that nobody acts on the wrong one. */
export function showWhere(about) {
  where.about = about;
  where.kind = isLocal(about) ? "local" : "live";
  const parts = [];
  if (where.kind === "local") {
    parts.push(["tables ", shown(about.tables.endpoint)]);
  } else {
    parts.push(about.account === null ? ["served by this machine"] : ["account ", shown(about.account)]);
    parts.push([shown(about.tables.region ?? about.region)]);
    if (about.tables.endpoint !== null) parts.push(["tables ", shown(about.tables.endpoint)]);
    if (about.account !== null && about.stack !== null) parts.push(["stack ", shown(about.stack)]);
    else parts.push(["tables ", shown(about.tables.profiles)]);
  }
  const word = where.kind === "local" ? "LOCAL" : "LIVE";
  where.name = `${word}: ${parts.map((part) => part.map((piece) => piece.textContent ?? piece).join("")).join(" · ")}`;
  by("where").dataset.kind = where.kind;
  by("ask").dataset.kind = where.kind;
  by("where").replaceChildren(
    el("p", { class: "inner" }, el("strong", {}, word), parts.map((part) => el("span", {}, part)), el("span", {}, "you are ", shown(about.caller))),
  );
}

/** Tell whether the tables are a stand-in on this machine; anything else may be somebody's telephone. */
function isLocal(about) {
  try {
    return about.tables.endpoint !== null && ["127.0.0.1", "localhost", "[::1]"].includes(new URL(about.tables.endpoint).hostname);
  } catch {
    return false;
  }
}

export function unknownWhere(problem) {
  by("where").replaceChildren(el("p", { class: "inner" }, `Which deployment this is, is not known. ${problem.message}`));
}

export function title(text) {
  document.title = `${text} – auth_jwt admin${where.kind === "unknown" ? "" : where.kind === "local" ? " (local)" : " (live)"}`;
}

/** Show the result of what was done, and take the keyboard there, so that undoing it is the next thing. */
export function tell(kind, text, { undo = null, more = [] } = {}) {
  const notice = by("notice");
  notice.className = `told ${kind}`;
  notice.replaceChildren(el("p", {}, text), ...more);
  notice.append(el("p", { class: "row" }, undo && button("Undo", undo), button("Dismiss", () => { hush(); by("view").querySelector("h1")?.focus(); })));
  notice.hidden = false;
  notice.focus();
  notice.scrollIntoView({ block: "nearest" });
}

export function tellProblem(problem) {
  tell("bad", problem.message, { more: idOf(problem) });
}

function idOf(problem) {
  return problem.id ? [el("p", { class: "hint" }, "Request ", shown(problem.id, "code"), " in the log.")] : [];
}

/** Return a card that says why something is not shown. */
export function failure(problem) {
  return el("div", { class: "told bad" }, el("p", {}, problem.message), idOf(problem));
}

export function hush() {
  by("notice").hidden = true;
  by("notice").replaceChildren();
}

/** Say something that is seen elsewhere, for those who listen. */
export function say(text) {
  by("said").textContent = text;
}

export function shout(text) {
  by("shouted").textContent = "";
  by("shouted").textContent = text;
}

/** Ask before something is done; resolves to whether it shall be. */
export function confirmed(question, yes, lines, { danger = true } = {}) {
  const dialog = by("ask");
  by("ask-title").textContent = question;
  by("ask-text").replaceChildren(
    ...lines,
    el("dl", {}, el("dt", {}, "Where"), el("dd", {}, where.name), where.about && [el("dt", {}, "Done by"), el("dd", {}, shown(where.about.caller))]),
  );
  by("ask-yes").textContent = yes;
  by("ask-yes").className = danger ? "danger" : "primary";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Return a sentence about when the service notices a write that ends something. */
export function effect() {
  const about = where.about;
  if (about === null) return "";
  return about.cache_ttl_seconds === 0 ? "It works at once." : `It works within ${about.cache_ttl_seconds} seconds.`;
}

/** Run what a button does once at a time, and tell what goes wrong. */
export function doing(element, work) {
  if (element.getAttribute("aria-disabled") === "true") return;
  element.setAttribute("aria-disabled", "true");
  work()
    .catch(tellProblem)
    .finally(() => element.removeAttribute("aria-disabled"));
}
