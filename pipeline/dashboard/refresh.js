"use strict";

// Replaces the figures when a new snapshot is published. Without scripts the page reloads.
const EVERY = 3000;

function showAge() {
  const published = document.querySelector("footer time");
  if (!published) return;
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(published.dateTime)) / 1000));
  const age = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  document.getElementById("age").textContent = ` (${age} ago)`;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const version = await (await fetch("/version", { cache: "no-store" })).text();
    if (version !== document.body.dataset.version) {
      const text = await (await fetch(location.href, { cache: "no-store" })).text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      for (const name of ["main", "footer", "form"]) {
        const shown = document.querySelector(name);
        // A form in use is left alone.
        if (name === "form" && shown.contains(document.activeElement)) continue;
        shown.replaceWith(fresh.querySelector(name));
      }
      document.body.dataset.version = fresh.body.dataset.version;
    }
    document.body.classList.remove("away");
  } catch {
    // The server is unreachable: the page stays, marked as stale.
    document.body.classList.add("away");
  }
  showAge();
}

showAge();
setInterval(refresh, EVERY);
