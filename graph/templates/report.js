"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  if (!$("canvas")) return;

  const data = JSON.parse($("graph-data").textContent);
  const kinds = new Map(data.kinds.map((kind) => [kind.name, kind]));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // Build elements from text alone: nothing that a paper says is ever parsed as HTML.
  function make(tag, props = {}, ...children) {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  // ---- the picture

  const busiest = Math.max(2, ...data.nodes.map((node) => node.claims));
  const weight = (node) => Math.sqrt(node.claims / busiest);
  const cy = cytoscape({
    container: $("canvas"),
    elements: [
      ...data.nodes.map((node) => ({
        data: { ...node, weight: weight(node), colour: kinds.get(node.type).colour, shape: kinds.get(node.type).shape },
        position: { x: node.x, y: node.y },
      })),
      ...data.edges.map((edge) => ({ data: edge, classes: edge.state })),
    ],
    layout: { name: "preset", padding: 25 },
    style: look(),
    minZoom: 0.05,
    maxZoom: 4,
    boxSelectionEnabled: false,
    userZoomingEnabled: false, // the wheel scrolls the page until the picture has the focus
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(look()));
  cy.on("tapstart", () => $("canvas").focus({ preventScroll: true })); // cytoscape keeps clicks from giving it
  $("canvas").addEventListener("focus", () => cy.userZoomingEnabled(true));
  $("canvas").addEventListener("blur", () => cy.userZoomingEnabled(false));

  function look() {
    const states = Object.entries(data.states).map(([state, dash]) => ({
      selector: `edge.${state}`,
      style: {
        "line-color": colour(state), "target-arrow-color": colour(state),
        "line-style": dash ? "dashed" : "solid", "line-dash-pattern": dash.split(" ").map(Number),
        "target-arrow-shape": state === "refuted" ? "tee" : "triangle",
      },
    }));
    return [
      { selector: "node", style: {
        "background-color": "data(colour)", shape: "data(shape)", label: "data(name)", color: colour("ink"),
        width: "mapData(weight, 0, 1, 12, 44)", height: "mapData(weight, 0, 1, 12, 44)",
        "font-size": "mapData(weight, 0, 1, 11, 24)", "font-family": "system-ui, sans-serif",
        "text-valign": "bottom", "text-margin-y": 3, "text-wrap": "ellipsis", "text-max-width": 150,
        "text-outline-color": colour("sunk"), "text-outline-width": 2.5, "min-zoomed-font-size": 8,
        "border-width": 1.5, "border-color": colour("sunk"),
      } },
      { selector: "edge", style: {
        "curve-style": "bezier", width: "mapData(belief, 0, 1, 1, 3.5)", opacity: 0.75, "arrow-scale": 0.9,
      } },
      ...states,
      { selector: ".far", style: { opacity: 0.1, "text-opacity": 0 } },
      { selector: "node.near, node.hit, node.chosen", style: {
        "z-index": 9, "min-zoomed-font-size": 0, "text-wrap": "wrap", "text-max-width": 200,
      } },
      { selector: "node.hit", style: { "border-width": 4, "border-color": colour("accent") } },
      { selector: "node.chosen", style: {
        "border-width": 5, "border-color": colour("ink"), "font-weight": "bold",
      } },
      { selector: "edge.near", style: { opacity: 1 } },
      { selector: "edge.chosen", style: {
        opacity: 1, width: 6, label: "data(predicate)", color: colour("ink"), "font-size": 12,
        "text-rotation": "autorotate", "text-background-color": colour("sunk"), "text-background-opacity": 0.9,
      } },
      { selector: "edge.hypothesis", style: {
        "line-color": colour("hypothesis"), "target-arrow-color": colour("hypothesis"), "target-arrow-shape": "vee",
        "line-style": "dashed", "line-dash-pattern": [12, 10], width: 5, opacity: 1, "z-index": 8,
        "curve-style": "unbundled-bezier", "control-point-distances": "data(bend)", "control-point-weights": 0.5,
        label: "data(label)", color: colour("hypothesis"), "font-size": 20, "text-rotation": "autorotate",
        "text-background-color": colour("sunk"), "text-background-opacity": 0.9,
      } },
      { selector: ".hidden", style: { display: "none" } },
    ];
  }

  // The busiest concepts keep labels that can be read, however far away they are.
  const hubs = cy.nodes().sort((a, b) => b.data("claims") - a.data("claims")).slice(0, 20);
  hubs.style("z-index", 5);
  function label() {
    const least = 10.5 / cy.zoom();
    hubs.forEach((node) => {
      const size = Math.max(11 + 13 * node.data("weight"), least);
      node.style({ "font-size": size, "text-max-width": 12 * size });
    });
  }
  cy.on("zoom", label);
  label();

  // ---- filters; what is pinned (a hypothesis) stays whatever they say

  let pinned = cy.collection();
  const ticked = (name) => new Set([...document.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const slider = (id) => ($(id) ? Number($(id).value) : Infinity);

  function filter() {
    const [types, states] = [ticked("type"), ticked("state")];
    const [year, belief] = [slider("year"), slider("belief")];
    const last = data.years ? data.years[1] : Infinity;
    const passes = (edge) =>
      states.has(edge.data("state")) && edge.data("belief") >= belief &&
      (year >= last || (edge.data("first_year") !== null && edge.data("first_year") <= year)) &&
      types.has(edge.source().data("type")) && types.has(edge.target().data("type"));
    cy.batch(() => {
      cy.elements().addClass("hidden");
      const shown = cy.edges().filter((edge) => passes(edge)).union(pinned);
      shown.union(shown.connectedNodes()).removeClass("hidden");
    });
    if (data.years) $("year-shown").textContent = year >= last ? "all" : year;
    $("belief-shown").textContent = belief.toFixed(2);
    const count = (group) => cy[group]().not(".hidden").not(".hypothesis").length;
    $("status").textContent =
      `${count("nodes")} of ${data.nodes.length} concepts, ${count("edges")} of ${data.edges.length} claims shown`;
  }

  $("filters").addEventListener("input", filter);
  $("reset").addEventListener("click", () => {
    for (const box of document.querySelectorAll("#filters [type=checkbox]")) box.checked = true;
    if ($("year")) $("year").value = data.years[1];
    $("belief").value = 0;
    filter();
  });

  // ---- choosing

  function forget() {
    cy.remove("edge.hypothesis");
    pinned.nodes().positions((node) => ({ x: node.data("x"), y: node.data("y") }));
    pinned = cy.collection();
    cy.elements().removeClass("far near chosen hit");
  }

  function light(near, chosen, { move = false } = {}) {
    cy.elements().difference(near.union(chosen)).addClass("far");
    near.addClass("near");
    chosen.addClass("chosen");
    filter();
    if (move) cy.animate({ fit: { eles: near.union(chosen), padding: 70 }, duration: calm() ? 0 : 250 });
  }

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const button = (content, action) => make("button", { type: "button", onclick: action }, ...content);
  const state = (edge) => make("span", { className: `state ${edge.state}` }, edge.state);
  const show = (...content) => { $("panel").replaceChildren(...content); $("panel").scrollTop = 0; };

  function chooseNode(node, options) {
    forget();
    light(node.closedNeighborhood(), node, options);
    const { name, type, id, claims } = node.data();
    const edges = node.connectedEdges().toArray().sort((a, b) => b.data("belief") - a.data("belief"));
    const some = edges.length < claims ? `${edges.length} of ${claims} claims are in the picture` :
      claims === 1 ? "1 claim" : `${claims} claims`;
    show(
      make("h3", {}, name),
      make("p", { className: "about" }, `${type} · `, make("code", {}, id), ` · ${some}`),
      make("ul", {}, ...edges.map((edge) => {
        const out = edge.source().same(node);
        const other = (out ? edge.target() : edge.source()).data("name");
        const text = [make("span", { className: "relation" }, out ? `${edge.data("predicate")} ⟶ ` : "⟵ "), other,
          out ? "" : make("span", { className: "relation" }, ` ${edge.data("predicate")}`)];
        const facts = [" ", make("span", { className: "count" }, edge.data("belief").toFixed(2)), " "];
        const mark = edge.data("state") === "supported" ? "" : state(edge.data());
        return make("li", {}, button([...text, ...facts, mark].filter(Boolean), () => chooseEdge(edge, { move: true })));
      })),
    );
  }

  function chooseEdge(edge, options) {
    forget();
    light(edge.connectedNodes(), edge, options);
    const claim = edge.data();
    const years = claim.first_year === null ? "undated" : [...new Set([claim.first_year, claim.last_year])].join("–");
    const end = (node) => button([node.data("name")], () => chooseNode(node, { move: true }));
    const sides = [["positive", "For", "for"], ["negative", "Against", "against"]].flatMap(([side, title, className]) => {
      const rows = claim.evidence.filter((row) => row.polarity === side);
      const all = side === "negative" ? claim.refute : claim.support + claim.speculative;
      const some = rows.length < all ? `${title}: ${rows.length} of ${all} sentences` : `${title}: ${all}`;
      return rows.length ? [make("h4", { className }, some), ...rows.map(cite)] : [];
    });
    show(
      make("div", { className: "ends" }, end(edge.source()),
        make("span", { className: "relation" }, `↓ ${claim.predicate}`), end(edge.target())),
      make("dl", {},
        make("dt", {}, "Belief"), make("dd", {}, claim.belief.toFixed(3)),
        make("dt", {}, "State"), make("dd", {}, state(claim)),
        make("dt", {}, "Years"), make("dd", {}, years)),
      ...sides,
    );
  }

  function cite(row) {
    const words = row.parts.map((part, i) => (i % 2 ? make("mark", {}, part) : part));
    const about = [row.year, row.section, row.certainty, `score ${row.score.toFixed(2)}`].filter(Boolean).join(" · ");
    const title = make("cite", {}, data.papers[row.document] ?? row.document);
    return make("figure", { className: `quote ${row.polarity}` },
      make("blockquote", {}, ...words), make("figcaption", {}, title, ` ${about}`));
  }

  function chooseIdea(index) {
    forget();
    const idea = data.ideas[index];
    const [from, to] = idea.inverse ? [idea.target, idea.source] : [idea.source, idea.target];
    const byId = (id) => cy.getElementById(id);
    const name = (id) => byId(id).data("name");
    const middle = idea.nodes.filter((id) => id !== idea.source && id !== idea.target);
    const height = 90 * middle.length;
    const link = cy.add({
      // The middle of the curve lies at half its bend, on the left of its direction.
      data: { id: "hypothesis", source: from, target: to, label: `${idea.relation}?`,
        bend: (idea.inverse ? 1 : -1) * (height + 110) },
      classes: "hypothesis",
    });
    pinned = cy.collection().union(idea.nodes.map(byId)).union(idea.edges.map(byId)).union(link);
    // Source left, target right, what joins them in a column between: as a path is drawn on a board.
    const x = (byId(idea.source).data("x") + byId(idea.target).data("x")) / 2;
    const y = (byId(idea.source).data("y") + byId(idea.target).data("y")) / 2;
    byId(idea.source).position({ x: x - 300, y });
    byId(idea.target).position({ x: x + 300, y });
    middle.forEach((id, i) => byId(id).position({ x, y: y - height / 2 + 45 + 90 * i }));
    light(pinned, byId(idea.source).union(byId(idea.target)), { move: true });
    show(
      make("h3", {}, `${name(from)} ⟶ ${name(to)}?`),
      make("p", { className: "about" }, `Supposed: ${idea.relation || "some relation"}, over`),
      make("ul", {}, ...middle.map((id) => make("li", {}, button([name(id)], () => chooseNode(byId(id)))))),
      make("p", {}, make("a", { href: `#hypothesis-${index}` }, "Back to its sentences")),
    );
  }

  function clear() {
    forget();
    filter();
    show(make("p", { className: "about" }, "Choose a concept or a line, or find a concept by name. " +
      "Click into the picture to zoom with the wheel; Escape forgets the choice."));
  }

  cy.on("tap", (event) => {
    if (event.target === cy) clear();
    else if (event.target.hasClass("hypothesis")) return;
    else (event.target.isNode() ? chooseNode : chooseEdge)(event.target);
  });
  document.addEventListener("click", (event) => {
    const { idea, edge } = event.target.dataset ?? {};
    if (idea === undefined && edge === undefined) return;
    $("picture").scrollIntoView();
    if (idea !== undefined) chooseIdea(Number(idea));
    else chooseEdge(cy.getElementById(edge), { move: true });
    $("panel").focus({ preventScroll: true });
  });

  // ---- search, zoom, keys

  const found = () => {
    const text = $("search").value.trim().toLowerCase();
    const hits = text ? cy.nodes().filter((node) => node.data("name").toLowerCase().includes(text)) : cy.collection();
    return hits.sort((a, b) => a.data("name").length - b.data("name").length);
  };
  $("search").addEventListener("input", () => {
    cy.nodes().removeClass("hit");
    found().addClass("hit");
  });
  $("search").addEventListener("change", () => {
    const hits = found();
    if (hits.nonempty()) chooseNode(hits[0], { move: true });
    else if ($("search").value.trim()) show(make("p", {}, "No concept in the picture has this in its name."));
  });

  const zoom = (factor) => cy.zoom({
    level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 },
  });
  const fit = () => cy.fit(cy.elements().not(".hidden"), 25);
  $("zoom-in").addEventListener("click", () => zoom(1.3));
  $("zoom-out").addEventListener("click", () => zoom(1 / 1.3));
  $("fit").addEventListener("click", fit);
  const keys = {
    "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: fit,
    ArrowLeft: () => cy.panBy({ x: 60, y: 0 }), ArrowRight: () => cy.panBy({ x: -60, y: 0 }),
    ArrowUp: () => cy.panBy({ x: 0, y: 60 }), ArrowDown: () => cy.panBy({ x: 0, y: -60 }),
  };
  $("canvas").addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("picture").addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });

  // ---- on paper all is open, and the picture is an image

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    $("print").src = cy.png({ full: true, scale: 1.5, maxWidth: 3000, bg: colour("sunk") });
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));

  if (innerWidth < 1050) $("filters").open = false;
  clear();
  window.hypograph = { cy };
})();
