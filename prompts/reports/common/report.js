"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const ids = (element) => (element.dataset.at || "").split(" ").filter(Boolean);
  const views = all(".view");
  document.documentElement.classList.add("js");

  const show = (handle) => {
    views.forEach((view) => view.classList.toggle("hidden", view.dataset.view !== handle));
    all(".tab").forEach((tab) => tab.setAttribute("aria-pressed", String(tab.dataset.view === handle)));
  };
  if (views.length > 1) show(views[0].dataset.view);
  all(".tab").forEach((tab) => tab.addEventListener("click", () => show(tab.dataset.view)));

  // a statement and its regions light up together, from either side; a click keeps them lit
  let kept = [];
  const light = (wanted) => {
    const lit = new Set(wanted);
    let some = false;
    all("[data-at]").forEach((element) => {
      const on = ids(element).some((id) => lit.has(id));
      element.classList.toggle("on", on);
      if (on && element.classList.contains("shape")) some = true;
    });
    views.forEach((view) => view.classList.toggle("some-on", some && view.querySelector(".shape.on") !== null));
  };
  const reveal = (wanted) => {
    const shapes = all(".shape").filter((shape) => ids(shape).some((id) => wanted.includes(id)));
    const view = shapes.length ? shapes[0].closest(".view") : null;
    if (view && view.classList.contains("hidden")) show(view.dataset.view);
  };
  const statementsOf = (element) => (element.classList.contains("statement") ? [element.id] : ids(element));
  all(".statement.placed, .shape[role=button]").forEach((element) => {
    const own = statementsOf(element);
    const choose = () => {
      kept = kept.join() === own.join() ? [] : own;
      light(kept);
      if (element.classList.contains("statement")) reveal(own);
      else document.getElementById(own[0])?.scrollIntoView({ block: "nearest" });
    };
    element.addEventListener("mouseenter", () => light(own));
    element.addEventListener("mouseleave", () => light(kept));
    element.addEventListener("focus", () => light(own));
    element.addEventListener("blur", () => light(kept));
    element.addEventListener("click", (event) => { if (!event.target.closest("a")) choose(); });
    element.addEventListener("keydown", (event) => {
      if (event.target === element && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); choose(); }
    });
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { kept = []; light(kept); } });

  const layers = all("input[data-layer]");
  const apply = (box) => {
    const view = document.getElementById("view-" + box.dataset.view);
    all(".shape", view).forEach((shape) => {
      if (shape.dataset.layer === box.dataset.layer) shape.classList.toggle("off", !box.checked);
    });
  };
  layers.forEach((box) => { apply(box); box.addEventListener("change", () => apply(box)); });
  all("input[data-opacity]").forEach((slider) => {
    const set = () => all(".shape", document.getElementById("view-" + slider.dataset.opacity)).forEach((shape) => {
      all("rect, path", shape).forEach((mark) => { mark.style.opacity = String(slider.value / 100); });
    });
    set();
    slider.addEventListener("input", set);
  });
})();
