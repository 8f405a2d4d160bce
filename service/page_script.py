"""The page's one script: it sends the record that stands in the page, and shows what comes back, as text and JSON.

A key that is typed in stays in its field: it is stored nowhere, and goes nowhere but into the header of a request
to where the page came from.
"""

from __future__ import annotations

SCRIPT = r"""
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const ask = at("ask"), key = at("key"), status = at("status"), answer = at("answer"), json = at("json");
  const show = (words, found) => {
    status.textContent = words;
    answer.textContent = found ? readable(found) : "";
    json.querySelector("pre").textContent = found ? JSON.stringify(found, null, 2) : "";
    answer.hidden = json.hidden = !found;
  };
  const items = (list) => list.map((item) => "  - " + item).join("\n");
  const signed = (number) => (number < 0 ? "-" : "+") + Math.abs(number).toFixed(2);
  const percent = (share) => Math.round(100 * share) + " %";
  const parts = {
    prediction: (found) => [
      "Progression rate " + found.progression_rate.toFixed(2) + " " + found.unit + " (positive = decline)\n" +
      percent(found.prediction_interval.coverage) + " interval " + found.prediction_interval.lower.toFixed(2) +
      " to " + found.prediction_interval.upper.toFixed(2),
      items(Object.entries(found.band_probabilities).map(([band, share]) => band + ": " + percent(share))),
      "Why (base value " + found.base_value.toFixed(2) + "; the eight largest of " + found.contributions.length +
      ", in points/month):\n" + items(found.contributions.slice(0, 8).map((each) =>
        signed(each.points_per_month) + "  " + each.words.replace(/:[^:]*$/, ""))),
      found.cautions.length ? "Cautions:\n" + items(found.cautions.map((each) => each.words)) : "",
      found.statement,
    ],
    abstained: (found) => ["No prediction:\n" + items(found.reasons.map((each) => each.words)), found.statement],
    problem: (found) => [found.title, found.detail, items((found.problems || []).map((each) => each.message))],
  };
  const readable = (found) => {
    const kind = !found.outcome ? "problem" : found.outcome === "abstained" ? "abstained" : "prediction";
    return parts[kind](found).filter(Boolean).join("\n\n");
  };
  ask.addEventListener("click", async () => {
    ask.disabled = true;
    show("Asking");
    try {
      const headers = {"Content-Type": "application/json"};
      if (key && key.value.trim()) headers["Authorization"] = "Bearer " + key.value.trim();
      const response = await fetch("v1/predict", {
        method: "POST", headers, body: at("record").value, credentials: "omit", redirect: "error",
      });
      show(response.status + " " + response.statusText, await response.json());
    } catch (error) {
      show("No answer that can be shown: " + error.message);
    } finally {
      ask.disabled = false;
    }
  });
})();
"""
