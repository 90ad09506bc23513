//! `did you mean`: the known word nearest to one that is not.

/// The candidate that `word` is most likely a slip of, if any is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    all_nearest(word, candidates).into_iter().next()
}

/// The known words that `word` was most likely meant to be; several if they are equally near.
pub fn all_nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = word.chars().count() / 3;
    let is_near = |(distance, candidate): &(usize, &str)| {
        *distance <= limit || is_beginning(word, candidate) || singular(word) == singular(candidate)
    };
    let measured = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let near: Vec<_> = measured.filter(is_near).collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    let of_least = near.into_iter().filter(|(distance, _)| Some(*distance) == least);
    of_least.map(|(_, candidate)| candidate).collect()
}

/// Whether one of the two is a longer form of the other: `description`, `desc`.
fn is_beginning(word: &str, candidate: &str) -> bool {
    let (short, long) =
        if word.len() < candidate.len() { (word, candidate) } else { (candidate, word) };
    short.len() >= 3 && long.starts_with(short)
}

/// `binary` of `binaries`, `need` of `needs`.
fn singular(word: &str) -> String {
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix('s').unwrap_or(word).to_owned(),
    }
}

/// The help for an unknown word: the nearest known one, else all of them.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    const MANY: usize = 24;
    if let Some(nearest) = nearest(word, known.clone()) {
        return format!("did you mean `{nearest}`?");
    }
    let known: Vec<_> = known.into_iter().collect();
    let listed = known.iter().take(MANY).map(|word| format!("`{word}`")).collect::<Vec<_>>();
    match (listed.len(), known.len()) {
        (0, _) => "none is known here".to_owned(),
        (shown, all) if shown < all => {
            format!("known are {} and {} more", listed.join(", "), all - shown)
        }
        _ => format!("known are {}", listed.join(", ")),
    }
}

/// How many letters must be added, dropped, replaced or swapped with their neighbour
/// (optimal string alignment) to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > a.len() / 3 + 1 {
        return usize::MAX;
    }
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["source", "build", "binary", "needs"];
        assert_eq!(nearest("sorce", known), Some("source"));
        assert_eq!(nearest("biuld", known), Some("build"));
        assert_eq!(nearest("need", known), Some("needs"));
        assert_eq!(nearest("binaries", known), Some("binary"));
        assert_eq!(nearest("upstream", known), None);
        assert_eq!(nearest("description", ["name", "desc"]), Some("desc"));
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("y", ["x"]), None);
    }

    #[test]
    fn without_a_near_word_the_known_ones_are_listed() {
        assert_eq!(suggestion("zzz", ["go", "run"]), "known are `go`, `run`");
        assert_eq!(suggestion("rum", ["go", "run"]), "did you mean `run`?");
        assert_eq!(suggestion("x", [""; 0]), "none is known here");
    }
}
