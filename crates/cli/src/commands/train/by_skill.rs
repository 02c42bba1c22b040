//! Numbers by skill, written like `edit=2,review=0.5`.

use std::collections::BTreeMap;

use basis_gym::skills;

use crate::exit::{Failure, Kind};

/// Reads the value of a setting; every number must be above 0.
pub(super) fn parse(setting: &str, text: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let mut numbers = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (skill, number) = part.split_once('=').ok_or_else(|| wrong(setting, part))?;
        let (skill, number) = (skill.trim(), number.trim().parse::<f64>().ok());
        let number = number.filter(|number| *number > 0.0 && number.is_finite()).ok_or_else(|| wrong(setting, part))?;
        if skills::find(skill).is_none() {
            return Err(Failure::new(Kind::Usage, format!("`{setting}`: no skill is called `{skill}`")));
        }
        if numbers.insert(skill.to_owned(), number).is_some() {
            return Err(Failure::new(Kind::Usage, format!("`{setting}`: `{skill}` is named twice")));
        }
    }
    Ok(numbers)
}

/// The same for a setting whose numbers are counts.
pub(super) fn counts(setting: &str, text: &str) -> Result<BTreeMap<String, usize>, Failure> {
    let whole = |(skill, number): (String, f64)| match number.fract() == 0.0 {
        true => Ok((skill, number as usize)),
        false => Err(Failure::new(Kind::Usage, format!("`{setting}`: `{skill}={number}`: expected a whole number"))),
    };
    parse(setting, text)?.into_iter().map(whole).collect()
}

fn wrong(setting: &str, part: &str) -> Failure {
    let expected = "expected SKILL=NUMBER with a number above 0, several of them separated by commas";
    Failure::new(Kind::Usage, format!("`{setting}`: `{part}`: {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_skill() {
        let numbers = parse("train.quotas", "edit=2, review = 0.5").unwrap();
        assert_eq!(numbers, BTreeMap::from([("edit".to_owned(), 2.0), ("review".to_owned(), 0.5)]));
        assert!(parse("train.quotas", "").unwrap().is_empty());
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(counts("train.tasks", "edit=2").unwrap(), BTreeMap::from([("edit".to_owned(), 2)]));
        let error = counts("train.tasks", "edit=2.5").unwrap_err().to_string();
        assert_eq!(error, "`train.tasks`: `edit=2.5`: expected a whole number");
    }

    #[test]
    fn mistakes_name_the_setting_and_the_part() {
        let text = |value| parse("train.quotas", value).unwrap_err().to_string();
        assert_eq!(text("edti=2"), "`train.quotas`: no skill is called `edti`");
        assert_eq!(text("edit=2,edit=3"), "`train.quotas`: `edit` is named twice");
        for part in ["edit", "edit=0", "edit=x", "edit=-1"] {
            assert!(
                text(part).starts_with(&format!("`train.quotas`: `{part}`: expected SKILL=NUMBER")),
                "{}",
                text(part)
            );
        }
    }
}
