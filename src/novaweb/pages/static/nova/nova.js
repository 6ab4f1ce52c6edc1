// Comfort only: drop files, see the progress of an upload, follow a submission, and read positions off the picture.
"use strict";

const POLL_MS = 700;
const DEG = 180 / Math.PI;

for (const form of document.querySelectorAll("[data-upload]")) {
  const drop = form.querySelector("[data-drop]");
  const input = drop.querySelector("input[type=file]");
  const bar = form.querySelector("[data-progress]");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        form.requestSubmit();
      }
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (step) => {
      bar.hidden = false;
      bar.value = step.loaded / step.total;
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
      } else {
        replaceMain(request.responseText);
      }
    });
    request.addEventListener("error", () => form.submit());
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}

function replaceMain(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
}

async function follow() {
  const old = document.querySelector("[data-live=yes]");
  if (!old) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) {
      location.replace(answer.url);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (fresh && fresh.innerHTML !== old.innerHTML) old.replaceWith(fresh);
  } catch {
    // The service may be starting again: ask once more.
  }
  setTimeout(follow, POLL_MS);
}

setTimeout(follow, POLL_MS);

// Show a part of another page in place of a link to it.
for (const place of document.querySelectorAll("[data-more]")) {
  fetch(place.dataset.more, { headers: { Accept: "text/html" } })
    .then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(answer.statusText))))
    .then((text) => {
      const page = new DOMParser().parseFromString(text, "text/html");
      place.replaceWith(page.querySelector(`[data-part=${place.dataset.partOf}]`));
    })
    .catch(() => {}); // the link stays
}

for (const figure of document.querySelectorAll("[data-view]")) {
  const picture = figure.querySelector("img");
  const place = figure.querySelector("[data-place]");
  let view = null;
  picture.parentElement.addEventListener("pointermove", async (event) => {
    if (view === null) {
      view = {};
      view = await (await fetch(figure.dataset.view)).json();
    }
    if (!view.crval) return;
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * view.width + 0.5;
    const down = ((event.clientY - box.top) / box.height) * view.height;
    const y = view.y_up ? view.height - down + 0.5 : down + 0.5;
    const [ra, dec] = toSky(view, x, y);
    place.textContent = `RA ${sexagesimal(ra / 15, 1)}  Dec ${dec < 0 ? "−" : "+"}${sexagesimal(Math.abs(dec), 0)}  pixel ${x.toFixed(1)}, ${y.toFixed(1)}`;
  });
}

// TAN with SIP: Calabretta & Greisen 2002, Shupe et al. 2005; x and y are FITS pixels, the result is in degrees.
function toSky(view, x, y) {
  const u = x - view.crpix[0];
  const v = y - view.crpix[1];
  const sum = (terms) => terms.reduce((total, [p, q, value]) => total + value * u ** p * v ** q, 0);
  const [du, dv] = [u + sum(view.a), v + sum(view.b)];
  const [[cd11, cd12], [cd21, cd22]] = view.cd;
  const xi = (cd11 * du + cd12 * dv) / DEG;
  const eta = (cd21 * du + cd22 * dv) / DEG;
  const [ra0, dec0] = [view.crval[0] / DEG, view.crval[1] / DEG];
  const across = Math.cos(dec0) - eta * Math.sin(dec0);
  const ra = ra0 + Math.atan2(xi, across);
  const dec = Math.atan2(Math.sin(dec0) + eta * Math.cos(dec0), Math.hypot(xi, across));
  return [(ra * DEG + 360) % 360, dec * DEG];
}

function sexagesimal(value, digits) {
  const units = 10 ** digits;
  const total = Math.round(value * 3600 * units);
  const parts = [Math.floor(total / (3600 * units)), Math.floor(total / (60 * units)) % 60];
  const seconds = ((total % (60 * units)) / units).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return [...parts.map((part) => String(part).padStart(2, "0")), seconds].join(":");
}
