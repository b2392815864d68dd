// Starts Swagger UI on DOCUMENT, and gives it what it lacks for those who do not see the page or do not point at it.

const SCHEMES = window.matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", SCHEMES.matches);
SCHEMES.addEventListener("change", paint);
paint();

const mended = ({ React }) => ({
  components: {
    // A link within a button; the button is enough, and the address still names what is open.
    DeepLink: ({ text }) => React.createElement("span", null, text),
    // A div that only a pointer reaches.
    CopyToClipboardBtn: ({ textToCopy }) => React.createElement("button", {
      type: "button",
      className: "copy",
      "aria-label": `Copy ${textToCopy}`,
      onClick: () => navigator.clipboard.writeText(textToCopy),
    }, "Copy"),
    // This page cannot sign, so there is nothing to fill in.
    AuthorizeBtnContainer: () => null,
    authorizeOperationBtn: () => null,
  },
});

const ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  spec: DOCUMENT,
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [SwaggerUIBundle.plugins.DownloadUrl, mended],
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  showExtensions: true,
  showCommonExtensions: true,
  withCredentials: true,
});
ui.specActions.updateUrl(`${window.location.pathname}?format=json`);

// --- Names, levels and stops of the keyboard, whenever something appears ---------------------------------------------

const name = (element, text) => {
  if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", text);
};

// Headings by how they are nested, where Swagger UI takes h1, h3, h4 and h5 by their size.
const level = (headings) => {
  const open = [];
  for (const heading of headings) {
    const size = Number(heading.tagName.slice(1));
    while (open.length && open.at(-1) >= size) open.pop();
    open.push(size);
    const depth = String(open.length);
    if (heading.getAttribute("aria-level") !== depth) heading.setAttribute("aria-level", depth);
  }
};

const operationOf = (element) => {
  const block = element.closest(".opblock");
  const method = block?.querySelector(".opblock-summary-method")?.textContent ?? "";
  return `${method} ${block?.querySelector("[data-path]")?.dataset.path ?? ""}`.trim();
};

const mend = () => {
  level(document.querySelectorAll("#swagger-ui :is(h1, h2, h3, h4, h5, h6)"));
  document.querySelectorAll("select#servers").forEach((one) => name(one, "Server"));
  document.querySelectorAll(".examples-select-element").forEach((one) => name(one, "Example"));
  document.querySelectorAll(".copy-to-clipboard > button").forEach((one) => name(one, "Copy"));
  document.querySelectorAll("[data-param-name] :is(input, select:not([class^='examples']))").forEach((one) => {
    name(one, one.closest("[data-param-name]").dataset.paramName); // its title says what is wrong with the value
  });
  document.querySelectorAll(".opblock textarea").forEach((one) => name(one, `Body of ${operationOf(one)}`));
  document.querySelectorAll(".opblock [role='region']").forEach((one) => {
    one.removeAttribute("aria-labelledby");
    one.setAttribute("aria-label", `Responses of ${operationOf(one)}`);
  });
  document.querySelectorAll(".opblock pre:not([tabindex])").forEach((one) => one.setAttribute("tabindex", "0"));
};

let isDue = false;
const soon = () => {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    mend();
  });
};

new MutationObserver(soon).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });
soon();
