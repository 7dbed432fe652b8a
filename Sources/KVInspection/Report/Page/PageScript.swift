/// What a page does where scripts run: it remembers a theme, sorts tables, opens all tables for print. Nothing that the
/// page says needs it.
package enum PageScript {
  package static let text = """
    "use strict";
    (() => {
      const root = document.documentElement;
      root.classList.add("scripts");

      // Theme: the system's, light, dark. A page opened from a file may have no storage.
      const themes = ["system", "light", "dark"];
      const memory = {
        read() { try { return localStorage.getItem("kvpager-theme"); } catch { return null; } },
        write(theme) { try { localStorage.setItem("kvpager-theme", theme); } catch { /* not remembered */ } },
      };
      const themeSwitch = document.querySelector("[data-theme-switch]");
      const setTheme = (theme) => {
        if (theme === "system") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", theme);
        themeSwitch.textContent = "Theme: " + theme;
      };
      let theme = themes.includes(memory.read()) ? memory.read() : "system";
      setTheme(theme);
      themeSwitch.addEventListener("click", () => {
        theme = themes[(themes.indexOf(theme) + 1) % themes.length];
        setTheme(theme);
        memory.write(theme);
      });

      // Tables: a click on a column's title sorts by it, numbers the largest first, a second one the other way.
      const value = (row, column) => {
        const cell = row.cells[column];
        const mark = cell.querySelector("data, time");
        if (!mark) return cell.textContent.trim();
        return mark.tagName === "DATA" ? Number(mark.value) : mark.dateTime;
      };
      for (const table of document.querySelectorAll("table[data-sortable]")) {
        const heads = [...table.tHead.rows[0].cells];
        const body = table.tBodies[0];
        heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
          const isNumber = head.classList.contains("n");
          const now = head.getAttribute("aria-sort");
          const order = now === "none" ? (isNumber ? "descending" : "ascending")
            : now === "ascending" ? "descending" : "ascending";
          for (const other of heads) other.setAttribute("aria-sort", other === head ? order : "none");
          const sign = order === "ascending" ? 1 : -1;
          const rows = [...body.rows].map((row) => ({ row, key: value(row, column) }));
          rows.sort((a, b) => sign * (typeof a.key === "number" && typeof b.key === "number"
            ? a.key - b.key : String(a.key).localeCompare(String(b.key), undefined, { numeric: true })));
          body.append(...rows.map((entry) => entry.row));
        }));
      }

      // On paper nothing can be opened.
      let closed = [];
      addEventListener("beforeprint", () => {
        closed = [...document.querySelectorAll("details:not([open])")];
        for (const details of closed) details.open = true;
      });
      addEventListener("afterprint", () => {
        for (const details of closed) details.open = false;
        closed = [];
      });
    })();

    """
}
