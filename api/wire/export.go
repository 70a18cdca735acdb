package wire

// ExportEnd is the last line of an export: without it, something is missing.
type ExportEnd struct {
	End   bool        `json:"end"`
	Lines uint64      `json:"lines"`
	Log   LogPosition `json:"log" doc:"the export's own record; what was recorded before it is in the export"`
}

// The formats of an export.
const (
	FormatNDJSON = "ndjson"
	FormatCSV    = "csv"
)

// ReasonHeader carries why an export is made. It is recorded with it, and stands
// in no URL, which proxies write down.
const ReasonHeader = "Sayso-Reason"
