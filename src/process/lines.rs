//! Cuts output into lines and keeps floods from those who watch.

use std::{collections::VecDeque, time::Instant};

use super::plain::plain;

/// How many lines are passed on before any limit holds.
const BURST: f64 = 2000.0;
/// How many lines a second are passed on in a flood.
const PER_SECOND: f64 = 300.0;
/// How many lines a flood may show at once when it was held back.
const RESUME: f64 = 100.0;
/// How many of the last lines of a flood are shown whatever its speed.
const KEPT: usize = 20;

/// Makes lines from bytes.
pub struct Lines {
    partial: Vec<u8>,
    /// The longest line, in bytes; longer ones are cut.
    longest: usize,
    /// Absent if every line is passed on.
    flood: Option<Flood>,
}

/// How far a flood has gone.
struct Flood {
    /// Lines that may be passed on now.
    budget: f64,
    refilled: Instant,
    /// Whether lines are being held back.
    holding: bool,
    /// The last lines that were held back.
    kept: VecDeque<Vec<u8>>,
    /// Lines before those, never to be passed on.
    left_out: u64,
}

impl Lines {
    /// Passes on every line; in pieces, if it has more than `longest` bytes.
    pub fn all(longest: usize) -> Self {
        Self { partial: Vec::new(), longest, flood: None }
    }

    /// Passes on every line of sensible output, and of a flood some and always the last:
    /// for output that is kept elsewhere.
    pub fn limited(longest: usize, now: Instant) -> Self {
        let (kept, budget) = (VecDeque::new(), BURST);
        let flood = Flood { budget, refilled: now, holding: false, kept, left_out: 0 };
        Self { partial: Vec::new(), longest, flood: Some(flood) }
    }

    /// Takes output as it comes.
    pub fn push(&mut self, mut bytes: &[u8], now: Instant, emit: &mut dyn FnMut(&str)) {
        if let Some(flood) = &mut self.flood {
            flood.refill(now, emit);
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if let Some(flood) = self.flood.as_mut().filter(|flood| flood.holding) {
                bytes = flood.hold_chunk(&mut self.partial, bytes);
                break;
            }
            let (line, rest) = bytes.split_at(end);
            if self.partial.is_empty() && line.len() <= self.longest {
                self.pass(line, emit);
            } else {
                self.append(line, emit);
                let line = std::mem::take(&mut self.partial);
                self.pass(&line, emit);
            }
            bytes = &rest[1..];
        }
        self.append(bytes, emit);
    }

    /// Passes on what is left at the end.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&str)) {
        if let Some(flood) = &mut self.flood {
            flood.release(emit);
        }
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            emit(&plain(&line));
        }
    }

    fn pass(&mut self, line: &[u8], emit: &mut dyn FnMut(&str)) {
        match &mut self.flood {
            Some(flood) if flood.holding => flood.hold(line.to_vec()),
            Some(flood) => {
                flood.spend();
                emit(&plain(line));
            }
            None => emit(&plain(line)),
        }
    }

    /// Adds to the line that has no end yet, and cuts what got too long.
    fn append(&mut self, bytes: &[u8], emit: &mut dyn FnMut(&str)) {
        self.partial.extend_from_slice(bytes);
        while self.partial.len() > self.longest {
            let overwritten = self.partial[..self.longest].iter().rposition(|byte| *byte == b'\r');
            if let Some(at) = overwritten.filter(|at| *at > 0) {
                self.partial.drain(..at);
                continue;
            }
            let rest = self.partial.split_off(end_of_characters(&self.partial[..self.longest]));
            let line = std::mem::replace(&mut self.partial, rest);
            self.pass(&line, emit);
        }
    }
}

/// Where to cut `bytes` so that no UTF-8 character at their end is torn.
fn end_of_characters(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let torn = last.map_or(0, |chunk| chunk.invalid().len());
    // Only an incomplete character at the very end is worth moving to the next line.
    if torn < 4 { bytes.len() - torn } else { bytes.len() }
}

impl Flood {
    fn spend(&mut self) {
        self.budget -= 1.0;
        self.holding = self.budget < 1.0;
    }

    fn refill(&mut self, now: Instant, emit: &mut dyn FnMut(&str)) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.budget = (self.budget + elapsed * PER_SECOND).min(BURST);
        if self.holding && self.budget >= RESUME {
            self.holding = false;
            self.release(emit);
        }
    }

    /// Passes on the last lines that were held back, and says how many others there were.
    fn release(&mut self, emit: &mut dyn FnMut(&str)) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            emit(&format!("[forge: {left_out} lines left out here; the log has them]"));
        }
        for line in std::mem::take(&mut self.kept) {
            self.budget -= 1.0;
            emit(&plain(&line));
        }
    }

    fn hold(&mut self, line: Vec<u8>) {
        self.kept.push_back(line);
        while self.kept.len() > KEPT {
            self.kept.pop_front();
            self.left_out += 1;
        }
    }

    /// Holds back all complete lines of `bytes`, of which `partial` is the beginning, without
    /// looking at most of them. Returns the incomplete line after them.
    fn hold_chunk<'a>(&mut self, partial: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
        let mut ends = last_ends(bytes);
        let Some(last) = ends.pop() else { return bytes };
        let rest = &bytes[last + 1..];
        let mut begin = 0;
        if ends.len() >= KEPT {
            begin = ends[0] + 1;
            #[expect(clippy::naive_bytecount, reason = "fast enough, and no other crate for it")]
            let skipped = bytes[..begin].iter().filter(|byte| **byte == b'\n').count();
            self.left_out += skipped as u64;
            partial.clear();
            ends.remove(0);
        }
        for end in ends.into_iter().chain([last]) {
            let mut line = std::mem::take(partial);
            line.extend_from_slice(&bytes[begin..end]);
            self.hold(line);
            begin = end + 1;
        }
        rest
    }
}

/// Where the last lines of `bytes` end, at most one more than are kept, ascending.
fn last_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::with_capacity(KEPT + 1);
    let mut rest = bytes;
    while ends.len() <= KEPT
        && let Some(end) = rest.iter().rposition(|byte| *byte == b'\n')
    {
        ends.push(end);
        rest = &rest[..end];
    }
    ends.reverse();
    ends
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LONGEST: usize = 64 * 1024;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::all(LONGEST);
        let mut emit = |line: &str| seen.push(line.to_owned());
        for chunk in chunks {
            lines.push(chunk, Instant::now(), &mut emit);
        }
        lines.finish(&mut emit);
        seen
    }

    #[test]
    fn lines_are_put_together_and_ends_are_optional() {
        assert_eq!(lines_of(&[b"a\nb", b"", b"c\n", b"\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(lines_of(&[b"1%\r", b"2%\r", b"\nx\r\n"]), ["2%", "x"]);
        assert!(lines_of(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = "ü".repeat(LONGEST);
        let cut = lines_of(&[&long.as_bytes()[..1], &long.as_bytes()[1..]]);
        assert_eq!(cut.concat(), long);
        assert!(cut.iter().all(|line| line.len() <= LONGEST) && cut.len() == 2);
        let odd = format!("a{long}");
        let cut = lines_of(&[odd.as_bytes()]);
        assert_eq!((cut.concat(), cut[0].len()), (odd, LONGEST - 1));
    }

    #[test]
    fn endless_progress_takes_no_memory() {
        let mut lines = Lines::all(LONGEST);
        for step in 0..200_000 {
            lines.push(format!("{step} done\r").as_bytes(), Instant::now(), &mut |_| panic!());
        }
        assert!(lines.partial.len() <= LONGEST + 100);
        let mut last = String::new();
        lines.finish(&mut |line| last = line.to_owned());
        assert_eq!(last, "199999 done");
    }

    fn numbered(count: usize) -> String {
        (0..count).flat_map(|n| [n.to_string(), "\n".to_owned()]).collect()
    }

    /// What is seen of `count` numbered lines that come at once, in chunks of `size` bytes.
    fn flood(count: usize, size: usize) -> Vec<String> {
        let start = Instant::now();
        let text: String = numbered(count);
        let mut seen = Vec::new();
        let mut lines = Lines::limited(LONGEST, start);
        for chunk in text.as_bytes().chunks(size) {
            lines.push(chunk, start, &mut |line| seen.push(line.to_owned()));
        }
        lines.finish(&mut |line| seen.push(line.to_owned()));
        seen
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn of_a_flood_the_beginning_and_the_end_are_seen(count in 1990usize..2200, size in 1usize..5000) {
            let seen = flood(count, size);
            let burst = BURST as usize;
            if count <= burst + KEPT {
                prop_assert_eq!(seen, (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
            } else {
                prop_assert_eq!(seen.len(), burst + 1 + KEPT);
                let note = format!("[forge: {} lines left out here; the log has them]", count - burst - KEPT);
                prop_assert_eq!(&seen[burst], &note);
                let last: Vec<_> = (count - KEPT..count).map(|n| n.to_string()).collect();
                prop_assert_eq!(&seen[burst + 1..], &last[..]);
            }
        }
    }

    #[test]
    fn a_flood_is_seen_again_after_a_while() {
        let start = Instant::now();
        let mut lines = Lines::limited(LONGEST, start);
        let many: String = numbered(3000);
        lines.push(many.as_bytes(), start, &mut |_| ());
        let mut seen = Vec::new();
        let later = start + Duration::from_secs(2);
        lines.push(b"news\n", later, &mut |line| seen.push(line.to_owned()));
        assert_eq!(seen.len(), 1 + KEPT + 1);
        assert_eq!((seen[KEPT].as_str(), seen[KEPT + 1].as_str()), ("2999", "news"));
    }
}
