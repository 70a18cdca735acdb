package bolt

import "context"

// enterWriting is enter for calls that change something. The first one clears
// what a crash left, and completes the log from the outbox.
func (db *DB) enterWriting(ctx context.Context) error {
	if db.readOnly {
		return errReadOnly
	}
	if err := db.enter(ctx); err != nil {
		return err
	}
	if db.repaired.Load() {
		return nil
	}
	db.repairMu.Lock()
	defer db.repairMu.Unlock()
	if db.repaired.Load() {
		return nil
	}
	err := db.failure()
	if err == nil {
		err = db.repair()
	}
	if err != nil {
		err = db.fail(err)
		db.gate.leave()
		return err
	}
	db.repaired.Store(true)
	return nil
}

func (db *DB) repair() error {
	if err := db.log.repair(); err != nil {
		return err
	}
	s, err := db.snapshots.acquire()
	if err != nil {
		return err
	}
	defer db.snapshots.release(s)
	var tickets []ticket
	l := db.log
	l.mu.Lock()
	err = pending(s.tx, l.state, db.state, func(entry []byte) error {
		_, tk := l.sequence(kindRecorded, entry)
		tickets = append(tickets, tk)
		return nil
	})
	l.mu.Unlock()
	for _, tk := range tickets {
		if werr := l.wait(tk); werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	return nil
}
