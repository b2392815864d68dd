// Elements, and values in them. Rows hold what anybody wrote, so a value becomes text and nothing else, and a character
// that could hide, turn or imitate other text is shown by its number.

const ODD = /[\p{C}\p{Zl}\p{Zp}\u00a0\u034f\u115f\u1160\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]|^ +| +$/gu;
const MOST_CHARACTERS = 4000;

/** Make an element. Properties are attributes; `on` holds listeners. Children are nodes or our own texts. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") Object.entries(value).forEach(([event, listener]) => made.addEventListener(event, listener));
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function button(label, action, properties = {}) {
  return el("button", { type: "button", ...properties, on: { click: action } }, label);
}

function numbered(odd) {
  return [...odd].map((character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
}

function textOf(value) {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? jsonOf(value) : String(value);
}

/** JSON of a value that `parsed` of api.js made: its great whole numbers stay exact. */
export function jsonOf(value) {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${jsonOf(member)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** Return an element that shows a value of a row or a token. */
export function shown(value, name = "bdi") {
  const text = textOf(value);
  if (text === "") return el("span", { class: "hint" }, typeof value === "string" ? "empty" : "none");
  const made = el(name);
  const whole = text.slice(0, MOST_CHARACTERS);
  let from = 0;
  for (const found of whole.matchAll(ODD)) {
    made.append(whole.slice(from, found.index));
    made.append(...numbered(found[0]).map((number) => el("span", { class: "odd", title: "a character that cannot be seen" }, number)));
    from = found.index + found[0].length;
  }
  made.append(whole.slice(from));
  if (text.length > whole.length) made.append(el("span", { class: "hint" }, ` … ${text.length - whole.length} characters more`));
  return made;
}

/** Return a value as a text of one line, for titles and for what is read aloud. */
export function spoken(value) {
  return textOf(value).replace(ODD, (odd) => numbered(odd).map((number) => `[${number}]`).join("")).slice(0, 200);
}

export function details(...pairs) {
  const rows = pairs.filter((pair) => pair);
  return el("dl", {}, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function badge(kind, text) {
  return el("span", { class: `badge ${kind}` }, text);
}

// --- times ---

const STEPS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });

export function distance(seconds) {
  const [unit, size] = STEPS.find(([, least]) => Math.abs(seconds) >= least) ?? STEPS.at(-1);
  return RELATIVE.format(Math.round(seconds / size), unit);
}

export function duration(seconds) {
  const [unit, size] = STEPS.slice(2).find(([, least]) => seconds >= least && seconds % least === 0) ?? STEPS.at(-1);
  return `${seconds / size} ${unit}${seconds === size ? "" : "s"}`;
}

/** Return an element that shows an instant, in UTC as logs do, and how far it is from now. */
export function when(seconds) {
  if (seconds === null || seconds === undefined) return el("span", { class: "hint" }, "never");
  const date = new Date(Number(seconds) * 1000);
  if (typeof seconds === "object" || typeof seconds === "string" || Number.isNaN(date.getTime())) return shown(seconds);
  const iso = date.toISOString();
  const text = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  return el("span", {}, el("time", { datetime: iso }, text), el("span", { class: "hint" }, ` (${distance(Number(seconds) - Date.now() / 1000)})`));
}
