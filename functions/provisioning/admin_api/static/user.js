// One user: its state, its secrets, its revoked tokens, and what may be done to it.

import { ask, at, encoded } from "./api.js";
import { badge, button, details, distance, duration, el, jsonOf, shown, spoken, when } from "./dom.js";
import { confirmed, doing, effect, failure, hush, say, tell, tellProblem, title, where } from "./frame.js";
import { nameOf, stateOf } from "./users.js";

const LIFETIMES = [60, 300, 900, 3600];
const PAGE = 50;

/** Show the user with a *tag*. Resolves to the element that takes the keyboard. */
export async function showUser(view, tag, explain) {
  title(spoken(tag));
  const user = new User(view, tag, explain);
  await user.load();
  return user.heading;
}

class User {
  constructor(view, tag, explain) {
    Object.assign(this, { view, tag, explain, profile: null, version: null });
    this.heading = el("h1", { tabindex: "-1" }, shown(tag));
    this.state = el("section", { class: "card", "aria-labelledby": "user-title" });
    this.secrets = el("section", { class: "card", "aria-labelledby": "secrets-title" });
    this.tokens = el("section", { class: "card", "aria-labelledby": "tokens-title" });
    this.heading.id = "user-title";
    say("Loading …");
  }

  async load() {
    const [profile, secrets] = await Promise.allSettled([
      ask("GET", at("profiles", this.tag), "look at users", { operation: "/admin/profiles/*" }),
      ask("GET", at("profiles", this.tag, "secrets"), "look at the secrets of users", { operation: "/admin/profiles/*/secrets" }),
    ]);
    this.view.replaceChildren(this.state, this.secrets, this.tokens);
    if (profile.status === "rejected") {
      this.view.replaceChildren(el("section", { class: "card", "aria-labelledby": "user-title" }, this.heading, failure(profile.reason)));
      say("");
      return;
    }
    this.take(profile.value);
    this.secrets.replaceChildren(...(secrets.status === "rejected"
      ? [secretsTitle(), failure(secrets.reason)]
      : secretsOf(secrets.value.body)));
    this.tokens.replaceChildren(el("h2", { id: "tokens-title" }, "Tokens"), this.revoking(), this.minting());
    await this.showRevocations();
    say("");
  }

  /** Show a profile that was read or written. */
  take({ body, version }) {
    this.profile = body;
    this.version = version;
    const all = body.tokens_valid_after;
    this.state.replaceChildren(...[
      el("div", { class: "title" }, this.heading, stateOf(body), all !== null && badge("wait", "older tokens revoked")),
      details(
        ["SIP user", nameOf(body)],
        ["Tag", shown(body.tag)],
        ["Tokens revoked", all === null ? el("span", { class: "hint" }, "none by their age") : sinceOf(all)],
      ),
      el(
        "p",
        { class: "row" },
        body.disabled ? this.button("Enable", this.enable, "primary") : this.button("Disable", this.disable, "danger"),
        this.button("Revoke all tokens", this.revokeAll, "danger"),
        all !== null && this.button("Let older tokens work again", this.liftAll),
      ),
      attributesOf(body.attributes),
    ].filter((part) => part));
  }

  button(label, action, kind = "") {
    const made = button(label, () => doing(made, () => action.call(this)), { class: kind });
    return made;
  }

  /** Return the lines of a question that name the user. */
  who(text) {
    return [el("p", {}, text), details(["SIP user", nameOf(this.profile)], ["Tag", shown(this.tag)])];
  }

  // --- disabled, enabled ---

  async disable() {
    const yes = await confirmed(`Disable ${spoken(this.tag)}?`, "Disable", this.who("Every login of this user will be refused. Calls and registrations that exist go on until they end."));
    if (yes && await this.change("disable")) {
      tell("good", `${spoken(this.tag)} is disabled. ${effect()}`, { undo: () => this.again(() => this.change("enable"), `${spoken(this.tag)} is enabled again.`) });
    }
  }

  async enable() {
    const yes = await confirmed(`Enable ${spoken(this.tag)}?`, "Enable", this.who("Logins of this user will be accepted again."), { danger: false });
    if (yes && await this.change("enable")) {
      tell("good", `${spoken(this.tag)} is enabled. It works at once.`, { undo: () => this.again(() => this.change("disable"), `${spoken(this.tag)} is disabled again. ${effect()}`) });
    }
  }

  /** Disable or enable the profile that is shown, or show how it differs now; resolves to whether it was done. */
  async change(verb) {
    try {
      this.take(await ask("POST", at("profiles", this.tag, verb), `${verb} users`, { match: this.version, operation: `/admin/profiles/*/${verb}` }));
      return true;
    } catch (problem) {
      if (problem.status !== 412) throw problem;
      const before = this.profile;
      this.take(await ask("GET", at("profiles", this.tag), "look at users", { operation: "/admin/profiles/*" }));
      tell("wait", `${problem.message} This is what changed. If it is still right, do it again.`, { more: [differences(before, this.profile)] });
      return false;
    }
  }

  /** Undo: without another question. */
  again(action, text) {
    const work = async () => { if (await action() !== false) tell("good", text); };
    work().catch(tellProblem);
  }

  // --- revoked tokens ---

  async revokeAll() {
    const yes = await confirmed(`Revoke all tokens of ${spoken(this.tag)}?`, "Revoke all tokens", this.who("Every token that this user has now will be refused. Tokens issued from the next second on work."));
    if (!yes) return;
    const before = this.profile.tokens_valid_after;
    await ask("POST", at("profiles", this.tag, "revocations"), "revoke tokens", { body: { all: true }, operation: "/admin/profiles/*/revocations" });
    await this.reread();
    tell("good", `All tokens of ${spoken(this.tag)} that were issued until now are revoked. ${effect()}${before === null ? "" : " An earlier revocation was there, so this cannot be undone in one step."}`, {
      undo: before === null ? () => this.again(() => this.lift(), `The tokens of ${spoken(this.tag)} work again.`) : null,
    });
  }

  async liftAll() {
    const before = this.profile.tokens_valid_after;
    const yes = await confirmed(`Let older tokens of ${spoken(this.tag)} work again?`, "Let them work", this.who("Tokens that were revoked by their age, and have not expired, will be accepted again. Tokens revoked one by one stay revoked."));
    if (!yes) return;
    await this.lift();
    const undo = typeof before === "number" && Number.isInteger(before) ? () => this.again(() => this.bind(before), `The older tokens of ${spoken(this.tag)} are revoked again. ${effect()}`) : null;
    tell("good", `The older tokens of ${spoken(this.tag)} work again.`, { undo });
  }

  async lift() {
    await ask("DELETE", at("profiles", this.tag, "tokens_valid_after"), "lift revocations", { operation: "/admin/profiles/*/tokens_valid_after" });
    await this.reread();
  }

  async bind(before) {
    await ask("POST", at("profiles", this.tag, "revocations"), "revoke tokens", { body: { before }, operation: "/admin/profiles/*/revocations" });
    await this.reread();
  }

  async reread() {
    this.take(await ask("GET", at("profiles", this.tag), "look at users", { operation: "/admin/profiles/*" }));
  }

  revoking() {
    if (where.about !== null && where.about.tables.revocations === null) {
      return el("p", { class: "hint" }, "This deployment has no table of revoked tokens, so only all tokens of a user can be revoked.");
    }
    const field = el("input", { id: "jti", name: "jti", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": "jti-hint jti-wrong" });
    const wrong = el("p", { class: "wrong", id: "jti-wrong" });
    this.revoked = el("div");
    const send = el("button", { class: "danger" }, "Revoke this token");
    const submit = (event) => {
      event.preventDefault();
      const jti = field.value;
      const flaw = jti === "" ? "Type the token’s jti." : jti.split(".").length === 3 && jti.length > 60 ? "This looks like a whole token. Explain it: its jti is shown there, with a button that revokes it." : "";
      field.toggleAttribute("aria-invalid", flaw !== "");
      if (flaw) field.setAttribute("aria-invalid", "true");
      wrong.textContent = flaw;
      if (flaw) field.focus(); else doing(send, () => this.revokeOne(jti, field));
    };
    return el("div", { class: "item" },
      el("h3", {}, "Revoked one by one"),
      this.revoked,
      el("form", { novalidate: true, on: { submit } },
        el("label", { for: "jti" }, "Revoke one token, by its jti"),
        el("div", { class: "search" }, field, send),
        wrong,
        el("p", { class: "hint", id: "jti-hint" }, "“Explain a token” shows the jti of a token that you have.")));
  }

  async revokeOne(jti, field) {
    if (await revokeToken(this.tag, jti, null, this.who("This token will be refused, and no other."), () => this.showRevocations())) {
      field.value = "";
      await this.showRevocations();
    }
  }

  async showRevocations(cursor = null) {
    if (!this.revoked) return;
    try {
      const query = `?limit=${PAGE}${cursor === null ? "" : `&cursor=${encoded(cursor)}`}`;
      const { body } = await ask("GET", at("profiles", this.tag, "revocations") + query, "look at revoked tokens", { operation: "/admin/profiles/*/revocations" });
      const listed = body.revocations.map((one) => el("li", { class: "item" },
        details(["jti", shown(one.jti, "code")], ["Revoked", when(one.revoked_at)], ["Kept until", one.expires_at === null ? "for ever" : when(one.expires_at)]),
        el("p", {}, this.button("Let it work again", () => this.liftOne(one)))));
      const list = cursor === null || !this.revoked.querySelector("ul") ? el("ul", { class: "list" }) : this.revoked.querySelector("ul");
      list.append(...listed);
      this.revoked.replaceChildren(
        list.children.length === 0 ? el("p", { class: "hint" }, "No token is revoked by itself.") : list,
        ...(body.next === null ? [] : [this.button("Show more", () => this.showRevocations(body.next))]),
      );
    } catch (problem) {
      this.revoked.replaceChildren(failure(problem));
    }
  }

  async liftOne(one) {
    const yes = await confirmed("Let this token work again?", "Let it work", [...this.who("Whoever has this token can log in with it again, until it expires."), details(["jti", shown(one.jti, "code")])]);
    if (!yes) return;
    await ask("DELETE", at("profiles", this.tag, "revocations", one.jti), "lift revocations", { operation: "/admin/profiles/*/revocations/*" });
    await this.showRevocations();
    tell("good", `The token ${spoken(one.jti)} works again, unless something else refuses it.`, {
      undo: () => this.again(async () => {
        await ask("POST", at("profiles", this.tag, "revocations"), "revoke tokens", { body: { jti: one.jti, ...(typeof one.expires_at === "number" ? { exp: one.expires_at } : {}) }, operation: "/admin/profiles/*/revocations" });
        await this.showRevocations();
      }, `The token ${spoken(one.jti)} is revoked again. ${effect()}`),
    });
  }

  // --- minting ---

  minting() {
    const lifetime = el("select", { id: "lifetime", name: "lifetime" }, LIFETIMES.map((seconds) => el("option", { value: seconds, selected: seconds === 300 }, duration(seconds))));
    const result = el("div");
    const send = this.button("Mint a test token", async () => {
      const yes = await confirmed(`Mint a token of ${spoken(this.tag)}?`, "Mint it", this.who("Whoever has the token can log in as this user until it expires. The log says that you minted it."), { danger: where.kind !== "local" });
      if (!yes) return;
      result.replaceChildren();
      const { body } = await ask("POST", at("profiles", this.tag, "tokens"), "mint tokens", { body: { lifetime_seconds: Number(lifetime.value) }, operation: "/admin/profiles/*/tokens" });
      hush();
      this.showToken(result, body);
    });
    return el("div", { class: "item" },
      el("h3", {}, "A test token"),
      el("div", { class: "search lifetime" }, el("div", { class: "field" }, el("label", { for: "lifetime" }, "It works for"), lifetime), send),
      result);
  }

  showToken(result, minted) {
    const field = el("textarea", { id: "minted", class: "code token", readonly: true, rows: "6", spellcheck: "false", autocomplete: "off" });
    field.value = minted.token;
    const forget = () => { field.value = ""; result.replaceChildren(); };
    const copied = button("Copy", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        copied.textContent = "Copied";
        say("Copied.");
      } catch {
        copied.textContent = "Select it, and copy it yourself";
      }
    });
    result.replaceChildren(el("div", { class: "told good" },
      el("label", { for: "minted" }, "The token. It is shown here only, and gone when you leave."),
      field,
      details(["SIP user", shown(minted.sip_username)], ["jti", shown(minted.jti, "code")], ["Signed by", el("span", {}, "the secret ", shown(minted.secret_id, "code"))], ["Expires", when(minted.expires_at)]),
      el("p", { class: "row" }, copied, button("Explain it", () => { const { value } = field; forget(); this.explain(value); }), button("Forget it", forget))));
    field.focus();
    setTimeout(forget, Math.max(0, minted.expires_at * 1000 - Date.now()));
  }
}

/** Ask, then revoke one token; resolves to whether it was done. *after* shows the list anew when it is undone. */
export async function revokeToken(tag, jti, exp, lines, after = async () => {}) {
  const yes = await confirmed("Revoke this token?", "Revoke it", [...lines, details(["jti", shown(jti, "code")])]);
  if (!yes) return false;
  const path = at("profiles", tag, "revocations");
  const body = exp === null ? { jti } : { jti, exp };
  const { status } = await ask("POST", path, "revoke tokens", { body, operation: "/admin/profiles/*/revocations" });
  if (status === 200) {
    tell("wait", `The token ${spoken(jti)} was revoked already.`);
    return true;
  }
  const undo = async () => {
    await ask("DELETE", at("profiles", tag, "revocations", jti), "lift revocations", { operation: "/admin/profiles/*/revocations/*" });
    await after();
    tell("good", `The token ${spoken(jti)} works again.`);
  };
  tell("good", `The token ${spoken(jti)} is revoked. ${effect()}`, { undo: () => undo().catch(tellProblem) });
  return true;
}

function sinceOf(bound) {
  if (typeof bound === "number") return el("span", {}, "those issued before ", when(bound));
  return el("span", {}, "all of them, since the bound is not a time: ", shown(bound));
}

function attributesOf(attributes) {
  const pairs = Object.entries(attributes);
  if (pairs.length === 0) return null;
  return el("div", { class: "item" }, el("h2", {}, "Attributes"), el("dl", {}, pairs.map(([name, value]) => [el("dt", {}, shown(name)), el("dd", {}, shown(value))])));
}

function differences(before, now) {
  const flat = (profile) => ({ "SIP user": profile.sip_username, "SIP domain": profile.sip_domain, disabled: profile.disabled, "tokens revoked before": profile.tokens_valid_after, ...Object.fromEntries(Object.entries(profile.attributes).map(([name, value]) => [`attribute ${name}`, value])) });
  const [old, present] = [flat(before), flat(now)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(present)])].filter((name) => jsonOf(old[name] ?? null) !== jsonOf(present[name] ?? null));
  if (names.length === 0) return el("p", {}, "Nothing that is shown here.");
  return el("dl", {}, names.map((name) => [el("dt", {}, shown(name)), el("dd", {}, shown(old[name]), " → ", shown(present[name]))]));
}

// --- secrets ---

const STATES = { open: "good", pending: "wait", closed: "idle", unusable: "bad" };

function secretsTitle() {
  return el("h2", { id: "secrets-title" }, "Secrets");
}

function secretsOf({ secrets, ending }) {
  if (secrets.length === 0) return [secretsTitle(), el("p", { class: "told bad" }, "There is none, so no token of this user can be accepted.")];
  return [
    secretsTitle(),
    endingOf(ending),
    el("ul", { class: "list" }, secrets.map((secret) => el("li", { class: "item" },
      el("p", { class: "title" }, el("strong", {}, shown(secret.id)), badge(STATES[secret.state] ?? "idle", secret.state)),
      secret.unusable_because !== null && el("p", { class: "wrong" }, "It verifies nothing: ", shown(secret.unusable_because)),
      details(
        ["Opens", when(secret.start_ts)],
        ["Ends", when(secret.end_ts)],
        ["Kind", shown(secret.kind)],
        ["Algorithms", shown(secret.algorithms.join(", "))],
        secret.kid !== null && ["kid", shown(secret.kid, "code")],
        ["Fingerprint", el("span", {}, secret.keys.length === 0 ? el("span", { class: "hint" }, "none") : secret.keys.map((key) => el("div", {}, shown(key.fingerprint, "code"))))],
      )))),
  ].filter((part) => part);
}

function endingOf(ending) {
  if (ending === null) return null;
  const isPast = ending.kind === "ended";
  const days = distance(ending.end_ts - Date.now() / 1000);
  return el("div", { class: `told ${isPast ? "bad" : "wait"}` },
    el("p", {}, isPast
      ? `The last secret ended ${days}, and no other is open: no login of this user is accepted.`
      : `The last secret ends ${days}, and no other follows: from then on no login of this user is accepted.`),
    ending.opens_again_ts !== null && el("p", {}, "The next one opens ", when(ending.opens_again_ts), "."),
    el("p", {}, "Ask who keeps the keys to run: ", shown(ending.command, "code")));
}
