/// Zooming into an icicle, by mouse and keyboard. The nodes stand in the page in preorder with their level and weight;
/// their places are computed anew from these, so that a sliver zooms as sharply as the whole.
package enum IcicleScript {
  package static let text = """
    "use strict";
    (() => {
      const characterWidth = 7.3, padding = 6;

      // Nodes with parents, children and exact places.
      const read = (drawing) => {
        const nodes = [], path = [];
        for (const element of drawing.querySelectorAll(".node")) {
          const depth = Number(element.getAttribute("aria-level")) - 1;
          path.length = depth;
          const parent = path[depth - 1] ?? null;
          const node = {
            element, depth, parent, children: [], weight: Number(element.dataset.weight), start: 0, width: 1, used: 0,
            text: element.querySelector("text"), title: element.querySelector("title").textContent,
            label: element.dataset.label,
          };
          if (parent) {
            node.width = parent.weight > 0 ? parent.width * node.weight / parent.weight : 0;
            node.start = parent.start + parent.used;
            parent.used += node.width;
            parent.children.push(node);
          }
          path.push(node);
          nodes.push(node);
        }
        return nodes;
      };

      const icicle = (box) => {
        const drawing = box.querySelector("svg");
        const trail = box.querySelector("[data-trail]");
        const readout = box.querySelector("[data-readout]");
        const nodes = read(drawing);
        if (nodes.length === 0) return;
        const byElement = new Map(nodes.map((node) => [node.element, node]));
        let zoomed = nodes[0], current = nodes[0];

        const holds = (outer, inner) => {
          for (let node = inner; node; node = node.parent) if (node === outer) return true;
          return false;
        };
        const isShown = (node) => holds(zoomed, node) || holds(node, zoomed);
        const ancestors = (node) => node ? [...ancestors(node.parent), node] : [];

        const fit = (node, pixels) => {
          const room = Math.floor((pixels - 2 * padding) / characterWidth);
          const label = [...node.label];
          node.text.textContent = room < 3 ? "" : label.length <= room ? node.label
            : label.slice(0, room - 1).join("").trimEnd() + "\\u2026";
        };

        const draw = () => {
          const total = drawing.getBoundingClientRect().width;
          for (const node of nodes) {
            const shown = isShown(node);
            node.element.style.display = shown ? "" : "none";
            if (!shown) continue;
            const above = holds(node, zoomed);
            const start = above ? 0 : (node.start - zoomed.start) / zoomed.width;
            const width = above ? 1 : node.width / zoomed.width;
            node.element.setAttribute("x", start * 100 + "%");
            node.element.setAttribute("width", width * 100 + "%");
            fit(node, width * total);
          }
          trail.replaceChildren(...ancestors(zoomed).map((node) => {
            const item = document.createElement("li");
            const button = document.createElement("button");
            button.type = "button";
            const letters = [...node.label];
            button.textContent = letters.length > 40 ? letters.slice(0, 39).join("") + "\\u2026" : node.label;
            if (node === zoomed) button.setAttribute("aria-current", "location");
            button.addEventListener("click", () => zoom(node, trail));
            item.append(button);
            return item;
          }));
        };

        const tell = (node) => { readout.textContent = node.title; };

        const focus = (node) => {
          current.element.setAttribute("tabindex", "-1");
          current = node;
          node.element.setAttribute("tabindex", "0");
          node.element.focus({ preventScroll: true });
        };

        const zoom = (node, from) => {
          if (!(node.width > 0)) return;
          zoomed = node;
          draw();
          tell(node);
          if (from === trail) trail.querySelector("[aria-current]").focus(); else focus(node);
        };

        const neighbour = (node, step) => {
          const level = nodes.filter((other) => other.depth === node.depth && isShown(other));
          return level[level.indexOf(node) + step] ?? node;
        };

        drawing.addEventListener("click", (event) => {
          const node = byElement.get(event.target.closest(".node"));
          if (node) zoom(node);
        });
        drawing.addEventListener("pointerover", (event) => {
          const node = byElement.get(event.target.closest(".node"));
          if (node) tell(node);
        });
        drawing.addEventListener("pointerleave", () => tell(current));
        drawing.addEventListener("focusin", (event) => {
          const node = byElement.get(event.target.closest(".node"));
          if (!node) return;
          if (node !== current) {
            current.element.setAttribute("tabindex", "-1");
            current = node;
            node.element.setAttribute("tabindex", "0");
          }
          tell(node);
        });
        box.addEventListener("keydown", (event) => {
          if (event.altKey || event.ctrlKey || event.metaKey) return;
          if (event.key === "Escape") {
            if (!zoomed.parent) return;
            zoom(zoomed.parent, event.target.closest("[data-trail]") ? trail : null);
          } else if (!event.target.closest(".node")) {
            return;
          } else if (event.key === "Enter" || event.key === " ") {
            zoom(current);
          } else if (event.key === "ArrowDown") {
            focus(current.children.find(isShown) ?? current);
          } else if (event.key === "ArrowUp") {
            focus(current.parent ?? current);
          } else if (event.key === "ArrowLeft") {
            focus(neighbour(current, -1));
          } else if (event.key === "ArrowRight") {
            focus(neighbour(current, 1));
          } else if (event.key === "Home") {
            focus(nodes[0]);
          } else {
            return;
          }
          event.preventDefault();
        });

        current.element.setAttribute("tabindex", "0");
        draw();
        tell(nodes[0]);
        new ResizeObserver(draw).observe(drawing);
      };

      for (const box of document.querySelectorAll("[data-icicle]")) icicle(box);
    })();

    """
}
