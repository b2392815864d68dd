// Finding users.

import { ask, at, encoded } from "./api.js";
import { badge, button, el, shown } from "./dom.js";
import { failure, say, title } from "./frame.js";

const MOST_PAGES = 5; // that are read before somebody is asked whether to go on

const HOWS = { is: "is the whole SIP user or tag", user: "is how the SIP user begins", tag: "is how the tag begins" };
const STATES = {
  any: "any", enabled: "enabled", disabled: "disabled", "tokens-revoked": "older tokens revoked",
  "no-usable-secret": "no secret that could verify a token",
};

export function linkTo(tag) {
  return `#/user/${encoded(tag)}`;
}

export function stateOf(profile) {
  return profile.disabled ? badge("bad", "disabled") : badge("good", "enabled");
}

/** Return an element with the SIP user of a profile. */
export function nameOf(profile) {
  if (profile.sip_username === null) return el("span", { class: "hint" }, "no SIP user");
  const domain = profile.sip_domain === null ? [] : ["@", shown(profile.sip_domain)];
  return el("span", {}, shown(profile.sip_username), ...domain);
}

/** Show the search, and what it found for the words of the address: text, how it is meant, and state. */
export async function showUsers(view, text, how, state) {
  const field = el("input", {
    id: "query", name: "query", type: "search", value: text, autocomplete: "off", autocapitalize: "none",
    spellcheck: "false", "aria-describedby": "query-hint query-wrong",
  });
  const hows = choice("how", HOWS, how);
  const states = choice("state", STATES, state);
  const wrong = el("p", { class: "wrong", id: "query-wrong" });
  const found = el("div", { id: "found" });
  const submit = (event) => {
    event.preventDefault();
    const isEmpty = field.value.trim() === "" && states.value === "any";
    wrong.textContent = isEmpty ? "Type whom to look for, or choose a state." : "";
    if (isEmpty) {
      field.setAttribute("aria-invalid", "true");
      field.focus();
      return;
    }
    field.removeAttribute("aria-invalid");
    const words = [field.value, hows.value, states.value];
    const address = `#/users/${words.map(encoded).join("/")}`;
    if (location.hash === address) look(...words, found); else location.hash = address;
  };
  const form = el(
    "form",
    { role: "search", class: "card", novalidate: true, on: { submit } },
    el("h1", { tabindex: "-1" }, "Users"),
    el("label", { for: "query" }, "SIP user, user@domain, or tag"),
    el("div", { class: "search" }, field, el("button", { class: "primary" }, "Find")),
    wrong,
    el("p", { class: "hint", id: "query-hint" }, "Upper and lower case count in names and tags, as they do in a login."),
    el("div", { class: "fields" },
      el("div", { class: "field" }, el("label", { for: "how" }, "What was typed"), hows),
      el("div", { class: "field" }, el("label", { for: "state" }, "State"), states)),
  );
  view.replaceChildren(form, found);
  title("Users");
  const isAsked = text !== "" || states.value !== "any";
  if (isAsked) await look(text, hows.value, states.value, found);
  return isAsked ? found.querySelector("h2") ?? field : field;
}

function choice(id, options, chosen) {
  return el("select", { id, name: id }, Object.entries(options).map(([value, label]) => el("option", { value, selected: value === chosen }, label)));
}

async function look(text, how, state, found) {
  found.replaceChildren();
  await goOn(new Search(text, how, state), found);
}

/** Look for more, and show what was found until now. */
async function goOn(search, found) {
  say("Looking …");
  try {
    await search.goOn();
  } catch (problem) {
    found.replaceChildren(...(search.users.size > 0 ? [results(search, found)] : []), failure(problem));
    say("");
    return;
  }
  found.replaceChildren(results(search, found));
  say(`${counted(search)} found${search.isOver ? "" : " so far"}.`);
  found.querySelector("h2").focus();
}

/** A search, which reads a page after the other. */
class Search {
  constructor(text, how, state) {
    Object.assign(this, { text, state });
    this.users = new Map(); // by tag
    this.lookUp = how === "is" && text !== "" && state !== "no-usable-secret";
    this.left = questionsFor(text, how).map((wanted) => ({ ...wanted, ...(state === "any" ? {} : { state }), cursor: null }));
  }

  get isOver() {
    return this.left.length === 0;
  }

  async goOn() {
    if (this.lookUp) await this.lookForTag();
    this.lookUp = false;
    for (let pages = 0; pages < MOST_PAGES && !this.isOver; pages += 1) {
      const wanted = Object.entries(this.left[0]).filter(([, value]) => value !== null);
      const path = `profiles?${wanted.map(([name, value]) => `${name}=${encoded(value)}`).join("&")}`;
      const { body } = await ask("GET", path, "look for users", { operation: "/admin/profiles" });
      for (const profile of body.profiles) this.users.set(profile.tag, profile);
      if (body.next === null) this.left.shift(); else this.left[0].cursor = body.next;
    }
  }

  async lookForTag() {
    if ([".", ".."].includes(this.text)) return;
    try {
      const { body } = await ask("GET", at("profiles", this.text), "look at users", { operation: "/admin/profiles/*" });
      if (isIn(this.state, body)) this.users.set(body.tag, body);
    } catch (problem) {
      // A text that cannot be a tag is no fault of whoever looks for a user; nor is an issuer.
      if (![400, 404, 409].includes(problem.status)) throw problem;
    }
  }
}

/** Return what is asked of the API one after the other. */
function questionsFor(text, how) {
  if (text === "") return [{}];
  if (how === "user") return [{ username_prefix: text }];
  if (how === "tag") return [{ tag_prefix: text }];
  // The text after the last @ is a domain; but a username may hold an @ itself.
  const user = text.replace(/^sips?:/i, "");
  const cut = user.lastIndexOf("@");
  const whole = { username: user };
  return cut > 0 && cut < user.length - 1 ? [{ username: user.slice(0, cut), domain: user.slice(cut + 1) }, whole] : [whole];
}

function isIn(state, profile) {
  return state === "any" || (state === "tokens-revoked" ? profile.tokens_valid_after !== null : profile.disabled === (state === "disabled"));
}

function counted({ users }) {
  return users.size === 1 ? "One user" : `${users.size} users`;
}

function results(search, found) {
  const { text, users, isOver } = search;
  return el(
    "section",
    { class: "card", "aria-labelledby": "found-title" },
    el("h2", { id: "found-title", tabindex: "-1" }, users.size > 0 ? counted(search) : isOver ? "Nobody found" : "Nobody found yet", text !== "" && [" for ", shown(text)]),
    users.size === 0 && isOver && el("p", { class: "hint" }, "The tag is what a token carries: “Explain a token” shows it. If only a part of the name is known, choose how it begins."),
    users.size > 0 && el("ul", { class: "list" }, [...users.values()].map((profile) => el(
      "li",
      { class: "item" },
      el("p", { class: "title" }, el("a", { href: linkTo(profile.tag) }, shown(profile.tag)), stateOf(profile)),
      el("p", { class: "hint" }, "SIP user ", nameOf(profile)),
    ))),
    !isOver && el("p", { class: "hint" }, "The table is large, and not all of it was read."),
    !isOver && el("p", {}, button("Look further", () => goOn(search, found))),
  );
}
