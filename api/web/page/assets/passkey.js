// Makes a passkey (data-passkey="make") or logs in by one (data-passkey="use") with
// the button of a form: data-options says where the challenge comes from, the
// form's action where the answer goes, with its fields in the query.
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseCreationOptionsFromJSON) continue
  form.hidden = false
  const told = form.querySelector("[data-told]")
  const say = text => { if (told) { told.textContent = text; told.hidden = !text } }
  form.addEventListener("submit", async event => {
    event.preventDefault()
    say("")
    const button = form.querySelector("button")
    button.setAttribute("aria-busy", "true")
    try {
      const asked = await fetch(form.dataset.options, {method: "POST"})
      const options = await asked.json()
      if (!asked.ok) { say(options.problem ?? form.dataset.failed); return }
      const credential = form.dataset.passkey === "make"
        ? await navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey)})
        : await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey)})
      const to = form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form))
      const answer = await fetch(to, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(credential)})
      const done = await answer.json()
      if (answer.ok) location.assign(done.go)
      else say(done.problem ?? form.dataset.failed)
    } catch {
      say(form.dataset.failed) // who changed their mind, or has none
    } finally {
      button.removeAttribute("aria-busy")
    }
  })
}
