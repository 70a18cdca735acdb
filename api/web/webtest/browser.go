package webtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what a test waits for, on a machine
// that has much else to do. Nothing waits for it to pass.
const patience = 90 * time.Second

// Browser is one Chromium.
type Browser struct {
	ctx context.Context
}

// Start starts a Chromium that ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(patience),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return &Browser{ctx: ctx}
}

// Options is who looks.
type Options struct {
	// Language is what the browser asks for. Default: "en".
	Language string
	// Phone makes it a phone of 390 by 844 points; otherwise it is a window of
	// 1280 by 900.
	Phone bool
	// Width is the window's, for what is neither.
	Width int
	// Dark asks for dark pages, as at night.
	Dark bool
	// NoScript turns JavaScript off.
	NoScript bool
	// Expected are parts of messages that the browser may complain with, such as
	// "404". Default: none; any other complaint fails the test.
	Expected []string
}

// Tab is a tab with cookies of its own: a person at a device.
type Tab struct {
	t       testing.TB
	ctx     context.Context
	options Options

	mu         sync.Mutex
	complaints []string
}

// Tab opens a tab. When the test ends, what the page's scripts threw and what
// its policy stopped fails it.
func (b *Browser) Tab(t testing.TB, o Options) *Tab {
	t.Helper()
	if o.Language == "" {
		o.Language = "en"
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	tab := &Tab{t: t, ctx: ctx, options: o}
	width, height, size := int64(1280), int64(900), []chromedp.EmulateViewportOption(nil)
	if o.Width > 0 {
		width = int64(o.Width)
	}
	if o.Phone {
		width, height, size = 390, 844, []chromedp.EmulateViewportOption{chromedp.EmulateMobile, chromedp.EmulateScale(2)}
	}
	tab.do("opening a tab", chromedp.EmulateViewport(width, height, size...), func(ctx context.Context, to *chromedp.Target) (chromedp.Void, error) {
		if _, err := cdp.Call(ctx, to, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": o.Language}}); err != nil {
			return chromedp.Void{}, err
		}
		if o.Dark {
			//nolint:misspell // so it is called
			dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
			if _, err := cdp.Call(ctx, to, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark}); err != nil {
				return chromedp.Void{}, err
			}
		}
		_, err := cdp.Call(ctx, to, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: o.NoScript})
		return chromedp.Void{}, err
	})
	tab.listen()
	return tab
}

// listen collects what the browser complains of.
func (tab *Tab) listen() {
	thrown, logged := chromedp.Events(tab.ctx, runtime.ExceptionThrown), chromedp.Events(tab.ctx, log.EntryAdded)
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range thrown {
			if err != nil {
				return
			}
			text := e.ExceptionDetails.Text
			if e.ExceptionDetails.Exception != nil {
				text += " " + e.ExceptionDetails.Exception.Description
			}
			tab.complain(text)
		}
	})
	wg.Go(func() {
		for e, err := range logged {
			if err != nil {
				return
			}
			if e.Entry.Level == log.EntryLevelError {
				tab.complain(e.Entry.Text)
			}
		}
	})
	tab.t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, c := range tab.complaints {
			tab.t.Errorf("the browser complains: %s", c)
		}
	})
}

func (tab *Tab) complain(text string) {
	for _, expected := range tab.options.Expected {
		if strings.Contains(text, expected) {
			return
		}
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = append(tab.complaints, text)
}

func (tab *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	// The first call opens the tab, which must outlive ctx.
	if chromedp.FromContext(tab.ctx).Target == nil {
		ctx = tab.ctx
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("%s: %v\n%s", what, err, tab.where())
	}
}

// where says what the tab shows, for failures.
func (tab *Tab) where() string {
	ctx, cancel := context.WithTimeout(tab.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + "\n" + (document.body ? document.body.innerText : "")`))
	if err != nil {
		return "the page cannot be asked: " + err.Error()
	}
	return "the page is " + text
}

// Go shows url.
func (tab *Tab) Go(url string) {
	tab.t.Helper()
	tab.do("going to a page", chromedp.Navigate(url))
}

// Click clicks the first element that a CSS selector finds, once it is there.
func (tab *Tab) Click(css string) {
	tab.t.Helper()
	tab.do("clicking "+css, chromedp.ScrollIntoView(chromedp.CSS(css)), chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
}

// Fill puts text into a field, in the place of what is there.
func (tab *Tab) Fill(css, text string) {
	tab.t.Helper()
	tab.Has(css)
	tab.Run(fmt.Sprintf(`document.querySelector(%q).value = ""`, css))
	tab.do("filling "+css, chromedp.SendKeys(chromedp.CSS(css), text))
}

// Choose picks the option of a <select> by its value.
func (tab *Tab) Choose(css, value string) {
	tab.t.Helper()
	tab.do("choosing in "+css, chromedp.SetValue(chromedp.CSS(css), value))
	tab.Run(fmt.Sprintf(`document.querySelector(%q).dispatchEvent(new Event("change", {bubbles: true}))`, css))
}

// Press sends keys to what has the focus.
func (tab *Tab) Press(keys string) {
	tab.t.Helper()
	tab.do("pressing keys", chromedp.KeyEvent(keys))
}

// Run runs a script in the page.
func (tab *Tab) Run(script string) {
	tab.t.Helper()
	tab.do("running a script", func(ctx context.Context, to *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[any]("(() => {"+script+"; return null })()")(ctx, to)
		return chromedp.Void{}, err
	})
}

// See waits until the page says text, in the words a person sees.
func (tab *Tab) See(text string) {
	tab.t.Helper()
	tab.until(func() bool { return strings.Contains(tab.Text(), text) }, "the page never said %q", text)
}

// SeeNot waits until the page no longer says text.
func (tab *Tab) SeeNot(text string) {
	tab.t.Helper()
	tab.until(func() bool { return !strings.Contains(tab.Text(), text) }, "the page went on to say %q", text)
}

// At waits until the page's path is path.
func (tab *Tab) At(path string) {
	tab.t.Helper()
	tab.until(func() bool { return tab.ask("location.pathname") == path }, "the page never was %s", path)
}

// Has waits until a CSS selector finds something.
func (tab *Tab) Has(css string) {
	tab.t.Helper()
	tab.until(func() bool { return tab.ask(fmt.Sprintf("String(!!document.querySelector(%q))", css)) == "true" }, "nothing is %s", css)
}

// Text is what a person sees of the page: its text, with what its fields hold
// left out. A space where no line may break is a space.
func (tab *Tab) Text() string {
	return strings.ReplaceAll(tab.ask(`document.body ? document.body.innerText : ""`), "\u00a0", " ")
}

// Value is what a field holds.
func (tab *Tab) Value(css string) string {
	tab.t.Helper()
	tab.Has(css)
	return tab.ask(fmt.Sprintf("document.querySelector(%q).value", css))
}

// Attribute is an attribute of the first element a CSS selector finds.
func (tab *Tab) Attribute(css, name string) string {
	tab.t.Helper()
	tab.Has(css)
	return tab.ask(fmt.Sprintf("document.querySelector(%q).getAttribute(%q) ?? \"\"", css, name))
}

// ask evaluates an expression that is a string. A page that is just being
// replaced answers nothing.
func (tab *Tab) ask(expression string) string {
	ctx, cancel := context.WithTimeout(tab.ctx, patience/3)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		return ""
	}
	return text
}

func (tab *Tab) until(holds func() bool, format string, args ...any) {
	tab.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			tab.t.Fatalf(format+"\n%s", append(args, tab.where())...)
		}
	}
}

// Back goes back as the browser's button does.
func (tab *Tab) Back() {
	tab.t.Helper()
	tab.do("going back", chromedp.NavigateBack())
}

// Shot keeps a picture of the whole page as name.png in the folder that
// SAYSO_SHOTS names, to be looked at. Without it, it does nothing.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	folder := os.Getenv("SAYSO_SHOTS")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		tab.t.Fatalf("taking a picture: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}
