package cloudformation

import (
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
)

// What is kept of the operations on stack sets once they have ended.

// history is for how long an operation that has ended is shown. Its id can be given to
// another one then.
const history = 90 * 24 * time.Hour

// past reports an operation that ended too long ago to be shown.
func (op *setOperation) past(now time.Time) bool {
	return op.ended() && now.Sub(op.Ended) > history
}

// forgetPast deletes what there is of the past operations on a stack set, oldest first, up
// to the first that is not past.
func (sc scope) forgetPast(tx data.Txn, id string, now time.Time) error {
	prefix := sc.key("setop", id)
	for p, err := range tx.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		var op setOperation
		if err := decode(p.Value, &op); err != nil {
			return err
		}
		if !op.past(now) {
			return nil
		}
		if err := sc.forgetOperation(tx, &op); err != nil {
			return err
		}
	}
	return nil
}

// forgetHistory deletes what there is of all operations on a stack set, none of which is
// under way.
func (sc scope) forgetHistory(tx data.Txn, id string) error {
	for _, kind := range []string{"setop", "setopid", "setresult", "setdrift"} {
		if err := clearAll(tx, sc.key(kind, id)); err != nil {
			return err
		}
	}
	return nil
}

func (sc scope) forgetOperation(tx data.Txn, op *setOperation) error {
	if err := clearAll(tx, sc.results(op.Set, op.Seq)); err != nil {
		return err
	}
	if err := tx.Delete(sc.setOpIDKey(op.Set, op.ID)); err != nil {
		return err
	}
	return tx.Delete(sc.setOpKey(op.Set, op.Seq))
}
