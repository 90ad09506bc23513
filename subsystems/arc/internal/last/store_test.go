package last

import (
	"errors"
	"sync"
	"testing"
	"time"

	"plat/arc/internal/lineproto"
)

func points(t *testing.T, batch string) []lineproto.Point {
	t.Helper()
	parsed, err := lineproto.Parse(batch, lineproto.Options{Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func write(t *testing.T, store *Store, batch string) {
	t.Helper()
	if err := store.Write(points(t, batch)); err != nil {
		t.Fatal(err)
	}
}

func TestNewestValueOfEachFieldIsKept(t *testing.T) {
	store := New(10)
	write(t, store, "cpu,host=a usage=1,temp=40 100\ncpu,host=a usage=2 200\ncpu,host=a usage=3 150\n")
	found := store.Find("cpu", nil)
	if len(found) != 1 {
		t.Fatalf("%d series", len(found))
	}
	if usage := found[0].Fields["usage"]; usage.Value != 2.0 || usage.Time.UnixNano() != 200 {
		t.Errorf("usage: %+v", usage)
	}
	if temp := found[0].Fields["temp"]; temp.Value != 40.0 || temp.Time.UnixNano() != 100 {
		t.Errorf("temp: %+v", temp)
	}
	write(t, store, "cpu,host=a usage=4 200")
	if usage := store.Find("cpu", nil)[0].Fields["usage"]; usage.Value != 4.0 {
		t.Errorf("of the same time the last one counts: %+v", usage)
	}
}

func TestFindByTags(t *testing.T) {
	store := New(10)
	write(t, store, "cpu,host=b v=1\ncpu,host=a,zone=x v=2\ncpu,zone=y,host=a v=3\nmem,host=a v=4\n")
	for _, c := range []struct {
		tags map[string]string
		want int
	}{
		{nil, 3},
		{map[string]string{"host": "a"}, 2},
		{map[string]string{"host": "a", "zone": "x"}, 1},
		{map[string]string{"zone": ""}, 0},
	} {
		if got := len(store.Find("cpu", c.tags)); got != c.want {
			t.Errorf("%v: %d series, want %d", c.tags, got, c.want)
		}
	}
}

func TestOrderOfTagsMakesNoOtherSeries(t *testing.T) {
	store := New(10)
	write(t, store, "m,a=1,b=2 v=1 1\nm,b=2,a=1 v=2 2\n")
	if store.Len() != 1 {
		t.Errorf("%d series", store.Len())
	}
}

func TestNamesThatLookAlikeStayApart(t *testing.T) {
	store := New(10)
	write(t, store, `m,a=b\,c v=1`+"\n"+`m,a=b,c=d v=1`+"\n"+`m\,a v=1`)
	if store.Len() != 3 {
		t.Errorf("%d series", store.Len())
	}
}

func TestFullStoreTakesNothingOfABatch(t *testing.T) {
	store := New(2)
	write(t, store, "a v=1 1\n")
	if err := store.Write(points(t, "a v=2 2\nb v=1\nc v=1\n")); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if store.Len() != 1 || store.Find("a", nil)[0].Fields["v"].Value != 1.0 {
		t.Error("a part of the batch was written")
	}
	write(t, store, "a v=2 2\nb v=1\nb v=2\n")
}

func TestFoundSeriesDoNotChange(t *testing.T) {
	store := New(2)
	write(t, store, "a v=1 1")
	found := store.Find("a", nil)
	write(t, store, "a v=2 2")
	if found[0].Fields["v"].Value != 1.0 {
		t.Error("a found series changed")
	}
}

// TestManyAtOnce means something under go test -race.
func TestManyAtOnce(t *testing.T) {
	store := New(2)
	batch := points(t, "a v=1 1\nb v=1 1\n")
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := store.Write(batch); err != nil {
				t.Error(err)
			}
			store.Find("a", nil)
		}()
	}
	all.Wait()
	if store.Len() != 2 {
		t.Errorf("%d series", store.Len())
	}
}
