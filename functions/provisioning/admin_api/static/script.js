// The page begins here: which window this is, which deployment, and which view its address asks for.

import { ask, prove } from "./api.js";
import { showExplain } from "./explain.js";
import { failure, hush, shout, showWhere, tell, title, unknownWhere } from "./frame.js";
import { showUser } from "./user.js";
import { showUsers } from "./users.js";

const START = "#start=";
let key = null;
let toExplain = ""; // a token on its way from one view to another, never longer
let turn = 0;

/** Take the key of this start out of the address. It stays with the window's own history, so that a reload works. */
function takeKey() {
  const { hash } = location;
  key = hash.startsWith(START) ? hash.slice(START.length) : history.state?.key ?? null;
  history.replaceState({ key }, "", hash.startsWith(START) ? "#/users" : hash);
  prove(key);
}

function explain(token) {
  toExplain = token;
  if (location.hash === "#/explain") route(); else location.hash = "#/explain";
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody typed it
  }
}

async function route() {
  if (location.hash !== "" && !location.hash.startsWith("#/")) return; // such as #main
  const mine = ++turn;
  const [name = "", ...words] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const token = toExplain;
  toExplain = "";
  hush();
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.hash === (name === "explain" ? "#/explain" : "#/users");
    link.toggleAttribute("aria-current", isHere);
    if (isHere) link.setAttribute("aria-current", "page");
  }
  const stage = document.createElement("div");
  stage.id = "view";
  let wanted;
  try {
    document.getElementById("view").replaceChildren();
    document.getElementById("view").replaceWith(stage);
    wanted = name === "explain" ? await showExplain(stage, token)
      : name === "user" && words[0] ? await showUser(stage, words[0], explain)
      : await showUsers(stage, words[0] ?? "", words[1] ?? "is", words[2] ?? "any");
  } catch (problem) {
    if (mine !== turn) return;
    title("Something is wrong");
    stage.replaceChildren(failure(problem));
  }
  if (mine === turn) wanted?.focus();
}

addEventListener("hashchange", () => {
  if (location.hash.startsWith(START)) { // the address of a new start, in a window of an old one
    takeKey();
    location.reload();
    return;
  }
  history.replaceState({ key }, "");
  route();
});
addEventListener("pagehide", () => {
  // What is left on the page may be a token: the browser's memory of pages is no place for it.
  for (const field of document.querySelectorAll("textarea")) field.value = "";
});
addEventListener("pageshow", (event) => { if (event.persisted) route(); });

takeKey();
try {
  showWhere((await ask("GET", "deployment", "see which deployment this is")).body);
} catch (problem) {
  unknownWhere(problem);
  shout(problem.message);
}
await route();
