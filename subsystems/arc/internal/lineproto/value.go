package lineproto

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseValue reads a field value that is not a string. A reason other than "" says why it is none.
func parseValue(word string) (kind Type, value any, reason string) {
	switch word {
	case "":
		return "", nil, "no value"
	case "t", "T", "true", "True", "TRUE":
		return Bool, true, ""
	case "f", "F", "false", "False", "FALSE":
		return Bool, false, ""
	}
	digits, suffix := word[:len(word)-1], word[len(word)-1]
	var err error
	switch suffix {
	case 'i':
		kind = Int
		value, err = strconv.ParseInt(digits, 10, 64)
	case 'u':
		kind = Uint
		value, err = strconv.ParseUint(digits, 10, 64)
	default:
		kind = Float
		value, err = parseFloat(word)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "", nil, fmt.Sprintf("%s does not fit a 64-bit %s", word, kind)
	case err != nil:
		return "", nil, fmt.Sprintf("%q is no number, boolean or quoted string", word)
	}
	return kind, value, ""
}

// parseFloat reads a decimal number. Go reads more than line protocol allows (hexadecimal, "inf", "nan",
// underscores), so the characters are looked at first.
func parseFloat(word string) (float64, error) {
	if strings.Trim(word, "0123456789+-.eE") != "" || strings.ContainsAny(word, "_xX") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(word, 64)
}

// parseTimestamp reads a whole number of units since 1970.
func parseTimestamp(word string, unit time.Duration) (at time.Time, reason string) {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return at, fmt.Sprintf("%q is no 64-bit whole number", word)
	}
	if limit := math.MaxInt64 / int64(unit); n > limit || n < -limit {
		return at, fmt.Sprintf("%s is out of range in units of %s", word, unit)
	}
	return time.Unix(0, n*int64(unit)).UTC(), ""
}
