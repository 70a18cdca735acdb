package webtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// Download clicks what a CSS selector finds and returns the file that the browser
// keeps then.
func (tab *Tab) Download(css string) (name string, content []byte) {
	tab.t.Helper()
	folder := tab.t.TempDir()
	tab.do("allowing a download", func(ctx context.Context, to *chromedp.Target) (chromedp.Void, error) {
		//nolint:misspell // so it is called
		_, err := cdp.Call(ctx, to, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow,
			BrowserContextID: chromedp.FromContext(ctx).BrowserContextID, DownloadPath: folder})
		return chromedp.Void{}, err
	})
	tab.Click(css)
	tab.until(func() bool {
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 1 || strings.HasSuffix(files[0].Name(), ".crdownload") || strings.HasPrefix(files[0].Name(), ".") {
			return false // it is still coming
		}
		name = files[0].Name()
		content, err = os.ReadFile(filepath.Join(folder, name))
		return err == nil
	}, "nothing was downloaded by %s", css)
	return name, content
}

// Focused is the ID of what has the focus, "" if that has none.
func (tab *Tab) Focused() string {
	return tab.ask(`document.activeElement ? document.activeElement.id : ""`)
}

// Wide says by how many points the page is wider than its window: 0 unless a person
// must scroll to both sides.
func (tab *Tab) Wide() string {
	return tab.ask("String(document.documentElement.scrollWidth - document.documentElement.clientWidth)")
}
