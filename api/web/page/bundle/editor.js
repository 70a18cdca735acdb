// Makes an editor for rego of every <textarea data-editor="rego">. The textarea
// stays what its form sends, so that a page works without this, too.
//
//   data-check="/…"        asked for {problems: [{module, line, column, message}]}
//                          with the form's fields whenever the text rests
//   data-module="name"     which of these problems are this text's
//   data-completions="/…"  answers [{label, type?, detail?, info?}]: the input document
import {EditorState} from "@codemirror/state"
import {EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection} from "@codemirror/view"
import {defaultKeymap, history, historyKeymap} from "@codemirror/commands"
import {bracketMatching, indentOnInput, indentUnit, syntaxHighlighting, HighlightStyle} from "@codemirror/language"
import {autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap} from "@codemirror/autocomplete"
import {linter, lintGutter, lintKeymap} from "@codemirror/lint"
import {tags} from "@lezer/highlight"
import {rego} from "./rego.js"

// Colours come from page.css by class, since the page's policy allows no style
// but its own sheet's.
const colours = HighlightStyle.define([
  {tag: tags.keyword, class: "rego-keyword"},
  {tag: tags.string, class: "rego-string"},
  {tag: tags.comment, class: "rego-comment"},
  {tag: tags.number, class: "rego-number"},
  {tag: tags.atom, class: "rego-number"},
  {tag: tags.special(tags.variableName), class: "rego-input"},
  {tag: tags.function(tags.variableName), class: "rego-function"},
])

function checker(area) {
  return linter(async view => {
    area.value = view.state.doc.toString()
    const answer = await fetch(area.dataset.check, {method: "POST", body: new URLSearchParams(new FormData(area.form)), headers: {Accept: "application/json"}})
    if (!answer.ok && answer.status !== 422) return []
    const {problems = []} = await answer.json()
    const summary = document.getElementById(area.id + "-problems")
    const mine = problems.filter(p => !area.dataset.module || p.module === area.dataset.module)
    if (summary) summary.textContent = mine.map(p => `${p.line}:${p.column} ${p.message}`).join("\n")
    return mine.map(p => {
      const doc = view.state.doc
      const line = doc.line(Math.min(Math.max(p.line, 1), doc.lines))
      const from = Math.min(line.from + Math.max(p.column - 1, 0), line.to)
      const word = /^\w+/.exec(doc.sliceString(from, line.to))
      return {from, to: Math.min(from + (word ? word[0].length : 1), line.to), severity: "error", message: p.message}
    })
  }, {delay: 400})
}

function completer(area) {
  let known
  return autocompletion({override: [async context => {
    const word = context.matchBefore(/[\w.]+/)
    if (!word && !context.explicit) return null
    known ??= fetch(area.dataset.completions).then(r => r.ok ? r.json() : [])
    return {from: word ? word.from : context.pos, options: await known, validFor: /^[\w.]*$/}
  }]})
}

function enhance(area) {
  const extensions = [
    lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(),
    indentUnit.of("\t"), EditorState.tabSize.of(4), rego, syntaxHighlighting(colours), EditorView.lineWrapping,
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
    EditorView.updateListener.of(update => {
      if (!update.docChanged) return
      area.value = update.state.doc.toString()
      area.dispatchEvent(new Event("input", {bubbles: true})) // as if it were written there
    }),
    EditorView.contentAttributes.of({"aria-label": area.getAttribute("aria-label") || area.labels?.[0]?.textContent || "rego"}),
    EditorState.readOnly.of(area.readOnly),
  ]
  if (area.dataset.check) extensions.push(lintGutter(), checker(area))
  if (area.dataset.completions) extensions.push(completer(area))
  const view = new EditorView({doc: area.value, extensions})
  area.hidden = true
  area.after(view.dom)
  area.form?.addEventListener("submit", () => { area.value = view.state.doc.toString() })
}

// The editor's own styles go into an adopted sheet, since the page's policy stops
// <style>. style-mod, which mounts them, takes one where there is no head.
Object.defineProperty(document, "head", {value: null, configurable: true})
document.querySelectorAll('textarea[data-editor="rego"]').forEach(enhance)
delete document.head
