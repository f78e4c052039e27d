//! The form of a text: a number, a date and how it is written, a truth, or just text; and the marks of text that was read
//! in a wrong encoding or stands for nothing.

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// `1.5`
    Number,
    /// `1,5`
    CommaNumber,
    /// `1,234.50`
    GroupedNumber,
    /// `2026-01-02`, with a time or without
    Iso,
    /// `2.1.2026`
    Dotted,
    /// `2/1/2026`
    Slashed,
    /// In the form of a date, and there is no such day.
    NoDate,
    /// True or false.
    Truth,
    /// Anything else.
    Text,
}

impl Form {
    /// Tells the form of a text without spaces around it.
    pub(super) fn of(text: &str) -> Form {
        if let Some(form) = date(text) {
            return form;
        }
        if let Some(form) = super::plain_form(text) {
            return form;
        }
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let groups: Vec<&str> = whole.split(',').collect();
        let grouped = groups.len() > 1
            && groups.iter().all(|g| plain(g))
            && groups[1..].iter().all(|g| g.len() == 3);
        match digits.split_once(',') {
            Some(_) if grouped && plain(fraction) => Form::GroupedNumber,
            Some((whole, fraction)) if plain(whole) && plain(fraction) => Form::CommaNumber,
            _ => Form::Text,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Form::Number | Form::CommaNumber | Form::GroupedNumber)
    }

    pub(super) fn is_date(self) -> bool {
        matches!(self, Form::Iso | Form::Dotted | Form::Slashed)
    }

    pub(super) fn is_truth(self) -> bool {
        self == Form::Truth
    }

    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Form::Number => "numbers",
            Form::CommaNumber => "numbers with a comma",
            Form::GroupedNumber => "numbers with commas between thousands",
            Form::Iso => "year-month-day",
            Form::Dotted => "day.month.year",
            Form::Slashed => "day and month with slashes",
            Form::NoDate | Form::Truth | Form::Text => "text",
        }
    }
}

/// Year, and two numbers that are month and day in one order or the other.
fn parts(text: &str) -> Option<(Form, i16, i8, i8)> {
    let (form, mark) = match text {
        _ if text.get(4..5) == Some("-") => (Form::Iso, '-'),
        _ if text.contains('/') => (Form::Slashed, '/'),
        _ if text.contains('.') => (Form::Dotted, '.'),
        _ => return None,
    };
    let day = match form {
        Form::Iso => text.split([' ', 'T']).next()?,
        _ => text.split(' ').next()?,
    };
    let parts: Vec<&str> = day.split(mark).collect();
    let [one, two, three] = parts.as_slice() else {
        return None;
    };
    let sized = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    match form {
        Form::Iso if sized(one, 4, 4) && sized(two, 2, 2) && sized(three, 2, 2) => Some((
            form,
            one.parse().ok()?,
            two.parse().ok()?,
            three.parse().ok()?,
        )),
        Form::Dotted | Form::Slashed
            if sized(one, 1, 2) && sized(two, 1, 2) && sized(three, 4, 4) =>
        {
            Some((
                form,
                three.parse().ok()?,
                two.parse().ok()?,
                one.parse().ok()?,
            ))
        }
        _ => None,
    }
}

fn date(text: &str) -> Option<Form> {
    let (form, year, month, day) = parts(text)?;
    let exists = |month, day| jiff::civil::Date::new(year, month, day).is_ok();
    let there = exists(month, day) || form == Form::Slashed && exists(day, month);
    Some(if there { form } else { Form::NoDate })
}

/// The year of a date.
pub(super) fn year(text: &str, form: Form) -> Option<i16> {
    parts(text)
        .filter(|_| form.is_date())
        .map(|(_, year, ..)| year)
}

/// Two letters of UTF-8 read as Latin, the sign for an unreadable one, or a control character.
pub(super) fn is_broken(text: &str) -> bool {
    let odd = |c: char| c == '\u{fffd}' || c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let pair = matches!(c, 'Ã' | 'Â') && ('\u{80}'..='\u{bf}').contains(&next);
        let triple = c == 'â' && matches!(next, '€' | '\u{80}');
        if odd(c) || pair || triple {
            return true;
        }
    }
    false
}

/// A word that somebody or some program writes where there is no value.
pub(super) fn stands_for_nothing(text: &str) -> bool {
    const WORDS: [&str; 15] = [
        "n/a",
        "#n/a",
        "null",
        "nil",
        "nan",
        "none",
        "undefined",
        "-",
        "--",
        "?",
        "tbd",
        "#ref!",
        "#value!",
        "#div/0!",
        "(null)",
    ];
    text.len() <= 9 && WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_told() {
        for (text, expected) in [
            ("1.5", Form::Number),
            ("-1,5", Form::CommaNumber),
            ("1,234.50", Form::GroupedNumber),
            ("12,345", Form::GroupedNumber),
            ("2026-01-02 03:04:05", Form::Iso),
            ("2026-01-02T03:04:05Z", Form::Iso),
            ("2026-13-02", Form::NoDate),
            ("2.1.2026", Form::Dotted),
            ("31.2.2026", Form::NoDate),
            ("12/25/2026", Form::Slashed),
            ("1.2.3", Form::Text),
            ("00123", Form::Text),
            ("yes", Form::Truth),
            ("a,b", Form::Text),
        ] {
            assert_eq!(Form::of(text), expected, "{text}");
        }
        assert!(is_broken("Ã¼ber") && is_broken("a\u{fffd}") && is_broken("itâ€™s"));
        assert!(!is_broken("Âge Ãrea Zoë\n") && !is_broken("château"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_form(text in "\\PC{0,20}", digits in "[0-9./:T, -]{0,20}") {
            for text in [text, digits] {
                let form = Form::of(&text);
                let _ = (year(&text, form), is_broken(&text), stands_for_nothing(&text));
            }
        }
    }
}
