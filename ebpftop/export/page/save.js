// A button below each picture saves it as a PNG, with what it is about above it. All is drawn here; nothing is sent.
{
  const LOOK = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "vector-effect", "paint-order",
    "shape-rendering", "font-family", "font-size", "font-weight", "text-anchor"];
  const [MARGIN, LINE, SCALE, MOST] = [16, 18, 2, 16000];
  const SVG = "http://www.w3.org/2000/svg";
  const made = (name, given, ...children) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(given)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  // A copy that needs no style sheet: an image has none.
  const copied = (svg) => {
    const copy = svg.cloneNode(true);
    const copies = [copy, ...copy.querySelectorAll("*")];
    [svg, ...svg.querySelectorAll("*")].forEach((each, at) => {
      const style = getComputedStyle(each);
      for (const name of LOOK) copies[at].setAttribute(name, style.getPropertyValue(name));
    });
    return copy;
  };
  // The words of a line, and boxes in it: [drawn, end of the line].
  const written = (nodes, y, style, measure) => {
    let x = MARGIN;
    const drawn = [];
    measure.font = style.font = `${style.weight} 13px ${style.family}`;
    const walk = (node) => {
      if (node instanceof SVGElement) {
        const size = node.getBoundingClientRect();
        const box = copied(node);
        for (const [key, value] of [["x", x], ["y", y - 11], ["width", size.width], ["height", size.height]])
          box.setAttribute(key, value);
        drawn.push(box);
        x += size.width;
      } else if (node.nodeType === Node.TEXT_NODE) {
        const text = node.textContent.replace(/\s+/g, " ");
        drawn.push(made("text", { x, y, fill: style.color, "font-size": 13, "font-weight": style.weight,
          "font-family": style.family, "xml:space": "preserve" }, text));
        x += measure.measureText(text).width;
      } else {
        node.childNodes.forEach(walk);
        if (node.className === "key") x += 8;
      }
    };
    nodes.forEach(walk);
    return [drawn, x];
  };
  const picture = (figure, svg) => {
    const body = getComputedStyle(document.body);
    const measure = document.createElement("canvas").getContext("2d");
    const view = figure.closest("[data-view]"), run = figure.closest("[data-run]");
    const title = [run?.dataset.probe, (view ?? figure.parentElement).querySelector("h2, h3, h4")?.textContent];
    const lines = [[[document.createTextNode(title.filter(Boolean).join(" · "))], "bold"],
      ...[view?.querySelector(".span"), figure.querySelector("figcaption")].filter(Boolean)
        .map((each) => [[...each.childNodes], "normal"])];
    let y = MARGIN, right = 0;
    const drawn = lines.flatMap(([nodes, weight]) => {
      const [parts, end] = written(nodes, y += LINE, { weight, family: body.fontFamily, color: body.color }, measure);
      right = Math.max(right, end);
      return parts;
    });
    const box = svg.getBoundingClientRect(), outer = figure.getBoundingClientRect();
    const left = MARGIN + box.left - outer.left;
    const width = Math.ceil(Math.max(right, left + box.width) + MARGIN), height = Math.ceil(y + LINE + box.height + MARGIN);
    const copy = copied(svg);
    for (const [key, value] of [["x", left], ["y", y + LINE], ["width", box.width], ["height", box.height],
      ["overflow", "visible"]]) copy.setAttribute(key, value);
    const back = made("rect", { width: "100%", height: "100%", fill: body.backgroundColor });
    return [made("svg", { width, height }, back, ...drawn, copy), width, height];
  };
  const loaded = (address) => new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error("this browser can't draw the picture"));
    image.src = address;
  });
  const save = async (figure, svg) => {
    const [whole, width, height] = picture(figure, svg);
    const text = new XMLSerializer().serializeToString(whole);
    const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    const scale = Math.min(SCALE, MOST / width, MOST / height);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * scale, height * scale];
    try {
      canvas.getContext("2d").drawImage(await loaded(address), 0, 0, canvas.width, canvas.height);
    } finally {
      URL.revokeObjectURL(address);
    }
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${[figure.closest("[data-run]")?.dataset.probe, svg.getAttribute("aria-label")]
      .filter(Boolean).join("-").replace(/[^\w.-]+/g, "-").slice(0, 80)}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  for (const svg of document.querySelectorAll("figure > svg")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = "save as PNG";
    button.setAttribute("aria-label", `save as PNG: ${svg.getAttribute("aria-label")}`);
    button.addEventListener("click", () => {
      save(svg.parentElement, svg).catch((error) => (button.textContent = `not saved: ${error.message}`));
    });
    svg.after(button);
  }
}
