"""The page's one script: it sends the record that stands in the page, and shows what comes back.

A key that is typed in stays in its field: it is stored nowhere, and goes nowhere but into the header of a request
to where the page came from.
"""

from __future__ import annotations

SCRIPT = """
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const ask = at("ask"), key = at("key"), status = at("status"), answer = at("answer");
  const show = (words, text) => { status.textContent = words; answer.textContent = text; answer.hidden = !text; };
  ask.addEventListener("click", async () => {
    ask.disabled = true;
    show("Asking", "");
    try {
      const headers = {"Content-Type": "application/json"};
      if (key && key.value.trim()) headers["Authorization"] = "Bearer " + key.value.trim();
      const response = await fetch("v1/predict", {
        method: "POST", headers, body: at("record").value, credentials: "omit", redirect: "error",
      });
      const text = await response.text();
      show(response.status + " " + response.statusText, JSON.stringify(JSON.parse(text), null, 2));
    } catch (error) {
      show("No answer that can be shown: " + error.message, "");
    } finally {
      ask.disabled = false;
    }
  });
})();
"""
