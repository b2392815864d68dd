// What the service would decide about a token, and why.

import { ask } from "./api.js";
import { badge, details, el, jsonOf, shown, when, button } from "./dom.js";
import { doing, failure, say, title, where } from "./frame.js";
import { revokeToken } from "./user.js";
import { linkTo } from "./users.js";

const MARKS = { passed: ["good", "passed"], refused: ["bad", "refused"], noted: ["idle", "noted"], unknown: ["wait", "unknown"] };
const TIMES = ["exp", "nbf", "iat"];

/** Show the form, and explain *token* at once if there is one. Resolves to the element that takes the keyboard. */
export async function showExplain(view, token) {
  title("Explain a token");
  const field = el("textarea", { id: "token", name: "token", class: "code token", rows: "5", spellcheck: "false", autocomplete: "off", autocapitalize: "none", "aria-describedby": "token-hint token-wrong" });
  const user = el("input", { id: "from-user", name: "from-user", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const domain = el("input", { id: "from-domain", name: "from-domain", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const wrong = el("p", { class: "wrong", id: "token-wrong" });
  const send = el("button", { class: "primary" }, "Explain");
  const result = el("div");
  const submit = (event) => {
    event?.preventDefault();
    const isEmpty = field.value.trim() === "";
    wrong.textContent = isEmpty ? "Paste a token." : "";
    if (isEmpty) {
      field.setAttribute("aria-invalid", "true");
      field.focus();
      return;
    }
    field.removeAttribute("aria-invalid");
    doing(send, () => explain(field.value, user.value, domain.value, result));
  };
  const clear = button("Clear", () => { field.value = ""; result.replaceChildren(); field.focus(); });
  view.replaceChildren(
    el("form", { class: "card", novalidate: true, on: { submit } },
      el("h1", { tabindex: "-1" }, "Explain a token"),
      el("div", { class: "field" }, el("label", { for: "token" }, "Token"), field, wrong,
        el("p", { class: "hint", id: "token-hint" }, "As the phone sent it. It goes to the admin API and nowhere else, and is not logged.")),
      el("div", { class: "fields" },
        el("div", { class: "field" }, el("label", { for: "from-user" }, "SIP user of the request (optional)"), user),
        el("div", { class: "field" }, el("label", { for: "from-domain" }, "SIP domain of the request (optional)"), domain)),
      el("p", { class: "row" }, send, clear)),
    result,
  );
  if (token === "") return field;
  field.value = token;
  submit();
  return null;
}

async function explain(given, user, domain, result) {
  say("Asking …");
  const body = { token: given, ...(user === "" ? {} : { from_user: user }), ...(domain === "" ? {} : { from_domain: domain }) };
  try {
    const answer = await ask("POST", "explain", "explain tokens", { body });
    result.replaceChildren(...explanationOf(answer.body));
  } catch (problem) {
    result.replaceChildren(failure(problem));
  }
  say("");
  const heading = result.querySelector("h2") ?? result.querySelector(".told");
  heading.setAttribute("tabindex", "-1");
  heading.focus();
}

function verdictOf(told) {
  if (told.accepted) return ["good", "The service would accept it"];
  if (told.reason !== null) return ["bad", `The service would refuse it: ${told.reason.replaceAll("_", " ")}`];
  if (told.retry_after !== null) return ["wait", `The service would ask to try again in ${told.retry_after} seconds, when the issuer’s key is fetched`];
  return ["wait", "Nothing can be decided"];
}

function explanationOf(told) {
  const [kind, words] = verdictOf(told);
  return [
    el("section", { class: "card", "aria-labelledby": "verdict" },
      el("div", { class: `told ${kind}` }, el("h2", { id: "verdict" }, words), told.fault !== null && el("p", {}, shown(told.fault)), told.remedy !== null && el("p", {}, "What to do: ", shown(told.remedy), ".")),
      told.removed.length > 0 && el("p", { class: told.spoils.length > 0 ? "told wait" : "hint" }, el("span", {}, "Read without ", shown(told.removed.join(" and ")), ".", told.spoils.length > 0 && " A client that sends it like that is refused: ", told.spoils.length > 0 && shown(told.spoils.join(" and ")))),
      details(
        told.sip_username && ["SIP user", shown(told.sip_username)],
        told.expires_at && ["Until", when(told.expires_at)],
        told.tag !== null && ["Tag", el("a", { href: linkTo(told.tag) }, shown(told.tag))],
        told.issuer !== null && ["Issuer", shown(told.issuer)],
        told.credentials.length > 0 && ["Credentials", shown(told.credentials.join(", "))],
      ),
      revocationOf(told)),
    el("section", { class: "card", "aria-labelledby": "steps" },
      el("h2", { id: "steps" }, "Rule by rule"),
      el("ol", { class: "steps" }, told.steps.map((step) => {
        const [mark, word] = MARKS[step.outcome] ?? MARKS.unknown;
        return el("li", {}, badge(mark, word), el("span", {}, el("strong", {}, shown(step.name)), ": ", shown(step.text)));
      })),
      told.secrets.length > 0 && el("h3", {}, "Secrets of the tag"),
      told.secrets.length > 0 && el("ul", { class: "list" }, told.secrets.map((secret) => el("li", { class: "item" },
        el("p", { class: "title" }, el("strong", {}, shown(secret.id)), badge(secret.signed ? "good" : "idle", secret.signed ? "signed this token" : "did not sign it")),
        el("p", { class: "hint" }, shown(secret.kind), secret.passed_over === null ? "; tried" : "; not tried: ", secret.passed_over === null ? null : shown(secret.passed_over)),
        secret.misreading !== null && el("p", { class: "told wait" }, el("span", {}, "Its text read in another way would have signed it: ", shown(secret.misreading)))))),
      told.keys.length > 0 && el("h3", {}, "Keys of the issuer"),
      told.keys.length > 0 && el("ul", { class: "list" }, told.keys.map((key) => el("li", { class: "item" },
        el("p", { class: "title" }, el("strong", {}, "kid ", shown(key.kid)), badge(key.signed ? "good" : "idle", key.signed ? "signed this token" : "did not sign it"), key.blocked && badge("bad", "blocked")),
        el("p", { class: "hint" }, shown(key.thumbprint, "code")))))),
    contentsOf(told),
  ].filter((part) => part);

  function revocationOf({ claims, accepted, reason, steps }) {
    if (reason === "revoked_token") return null;
    const jti = claims?.jti;
    const tag = told.issuer ?? told.tag;
    if (typeof jti !== "string" || jti === "" || tag === null || (where.about && where.about.tables.revocations === null)) return null;
    // An `exp` that nobody signed could let the revocation of a real token be forgotten before that token ends.
    const verified = isVerified(steps);
    const exp = verified && Number.isInteger(claims.exp) && claims.exp >= 0 ? claims.exp : null;
    const lines = [
      el("p", {}, "This token will be refused, and no other."),
      !verified && el("p", {}, "Its signature was not verified, so anybody may have chosen this tag and jti. The revocation stays until it is lifted."),
      details(["Tag", shown(tag)]),
    ].filter((line) => line);
    const made = button("Revoke this token", () => doing(made, async () => { await revokeToken(tag, jti, exp, lines); }), { class: accepted ? "danger" : "" });
    return el("p", {}, made);
  }
}

function isVerified(steps) {
  return steps.some(({ name, outcome }) => name === "signature" && outcome === "passed");
}

function contentsOf({ header, claims, steps }) {
  if (header === null && claims === null) return null;
  const list = (members) => el("dl", {}, Object.entries(members).map(([name, value]) => [
    el("dt", {}, shown(name)),
    el("dd", {}, shown(typeof value === "string" ? value : jsonOf(value), "code"), TIMES.includes(name) && typeof value === "number" && el("div", { class: "hint" }, when(value))),
  ]));
  return el("section", { class: "card", "aria-labelledby": "contents" },
    el("h2", { id: "contents" }, "What is in it"),
    !isVerified(steps) && el("p", { class: "hint" }, "Not verified: anybody may have written this."),
    header !== null && el("h3", {}, "Header"),
    header !== null && list(header),
    claims !== null && el("h3", {}, "Claims"),
    claims !== null && list(claims));
}
