// SPDX-License-Identifier: GPL-2.0

//! `#[kunit_tests(suite)]` for cargo: the module is there in tests only, and the module is the suite.

use proc_macro::{TokenStream, TokenTree};

/// Builds the module in tests. The suite must be named as the module is, because cargo knows only the latter.
#[proc_macro_attribute]
pub fn kunit_tests(suite: TokenStream, module: TokenStream) -> TokenStream {
    let suite = suite.to_string();
    let mut words = module.clone().into_iter().skip_while(|word| word.to_string() != "mod").skip(1);
    let name = words.next().map(|word: TokenTree| word.to_string());
    if name.as_ref() != Some(&suite) {
        return format!("compile_error!(\"suite {suite} must be in a module of that name\");")
            .parse()
            .unwrap_or_default();
    }
    let mut tests: TokenStream = "#[cfg(test)]".parse().unwrap_or_default();
    tests.extend(module);
    tests
}
