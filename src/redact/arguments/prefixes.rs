//! Tokens that open with the mark their vendor documents for finding them, whatever their length.
//!
//! The provider rules ask for exact lengths; vendors change those, and say that programs must not count on them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

use super::Unchecked;

/// Marks from the vendors' documentation, less those that words begin with.
const MARKS: &str = "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- glrt- gldt- glptt- glcbt- glft- glsoat- glagent- gloas- \
    xoxb- xoxp- xoxa- xoxe- xoxs- xapp-1- sk_live_ sk_test_ rk_live_ rk_test_ whsec_ GOCSPX- ya29. npm_ pypi- rubygems_ \
    dckr_pat_ dckr_oat_ SG. xkeysib- dop_v1_ doo_v1_ dor_v1_ hvs. hvb. hvr. pul- dp.pt. dp.st. tskey- glsa_ glc_ NRAK- \
    sntrys_ sntryu_ dt0c01. sqp_ squ_ sqa_ lin_api_ ntn_ ATATT3 ATCTT3 ATBB PMAK- CFPAT- shpat_ shpss_ shpca_ shppa_ \
    sq0atp- sq0csp- pscale_tkn_ pscale_pw_ sk-proj- sk-svcacct- sk-ant- hf_ gsk_ r8_ pplx- nfp_ fo1_ sbp_ figd_ \
    AGE-SECRET-KEY-1 CCIPAT_ bkua_ rdme_ pnu_ ico- phx_ HRKU- LTAI PRIVATE-TOKEN- ops_eyJ";

/// Shortest unbroken run of letters and digits in a token; names of things have shorter ones.
const RUN: usize = 12;

static MARKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let marks: Vec<String> = MARKS.split_whitespace().map(regex::escape).collect();
    // A Telegram bot's token opens with the bot's number, and its secret half with AA.
    let marked = format!(r"(?:^|[^A-Za-z0-9_-])((?:(?:{})|\d{{8,10}}:AA)[A-Za-z0-9_.=-]{{16,}})", marks.join("|"));
    RegexBuilder::new(&marked).unicode(false).build().ok()
});

/// The same at its full length, random or not: in the address of a call `bot` stands before it.
static TELEGRAM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let token = r"(?:^|/bot|[^A-Za-z0-9_-])([0-9]{5,16}:A[A-Za-z0-9_-]{34})(?:$|[^A-Za-z0-9_-])";
    RegexBuilder::new(token).unicode(false).build().ok()
});

/// Returns where they stand; an expression that cannot be used is an error.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
    let marked = ranges(&MARKED, text)?.filter(|range| text.get(range.clone()).is_none_or(random));
    Ok(marked.chain(ranges(&TELEGRAM, text)?).collect())
}

fn ranges<'t>(
    expression: &'static LazyLock<Option<Regex>>,
    text: &'t str,
) -> Result<impl Iterator<Item = Range<usize>> + use<'t>, Unchecked> {
    let expression = expression.as_ref().ok_or(Unchecked)?;
    Ok(expression.captures_iter(text.as_bytes()).filter_map(|groups| groups.get(1)).map(|group| group.range()))
}

fn random(token: &str) -> bool {
    token.split(['_', '-', '.', '=']).any(|run| {
        run.len() >= RUN
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_needs_something_random_behind_it() {
        for (text, found) in [
            ("token ghp_0a1B2c3D4e5F6g7H8i9J0 x", vec!["ghp_0a1B2c3D4e5F6g7H8i9J0"]),
            ("npm_config_cache_directory_of_x86_64_linux", vec![]),
            ("sk-ant-algorithms-for-everyone-2024", vec![]),
            ("at 12345678:AAbbccddeeffgghh1122 x", vec!["12345678:AAbbccddeeffgghh1122"]),
            (
                "GET https://api.telegram.org/bot12345678:AAbb-ccddeeffgghh_jjkkllmmnnoopp112/getMe",
                vec!["12345678:AAbb-ccddeeffgghh_jjkkllmmnnoopp112"],
            ),
            ("line 12345678:A", vec![]),
        ] {
            let ranges = find(text).expect("usable");
            assert_eq!(ranges.into_iter().map(|range| &text[range]).collect::<Vec<_>>(), found);
        }
    }
}
