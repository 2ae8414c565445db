//! Texts for sequences of keys. See README.md.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use loopgate_guest::prelude::*;

const TYPED: u32 = 1;

/// What the keypad calls its own `next-key`.
const NEXT_KEY: u32 = 1;

/// Keys of one sequence.
const KEYS_MAX: usize = 16;
/// Bytes of what was typed; past that it begins anew.
const TYPED_MAX: usize = 4096;

struct MacroPad {
    service: String,
    keypad: Client,
    macros: HashMap<String, String>,
    keys: String,
    typed: String,
    macros_typed: u64,
    _service: Service,
}

impl Driver for MacroPad {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx.service("macro-pad").selector(
            TYPED,
            "typed",
            "",
            "what was typed; scalar: macros in all",
        );
        let macros = cx.config("macros").unwrap_or("1=hello;2=, ;3=world");
        let pair = |pair: &str| {
            let (keys, text) = pair.split_once('=')?;
            Some((keys.to_owned(), text.to_owned()))
        };
        let keypad = cx.config("keypad").unwrap_or("keypad");
        let pad = Self {
            service: keypad.to_owned(),
            keypad: cx.client(keypad)?,
            macros: macros.split(';').filter_map(pair).collect(),
            keys: String::new(),
            typed: String::new(),
            macros_typed: 0,
            _service: service.publish()?,
        };
        pad.ask()?;
        Ok(pad)
    }

    /// There is a new keypad, or another version of it. The keys of a sequence
    /// that has begun are kept.
    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        if event == StructuralEvent::ProviderPublished
            && service == self.service
            && let Err(error) = self.reopen()
        {
            error!("no keys of `{service}`: {error}");
        }
        Readiness::Ready
    }

    fn completed(&mut self, _: u32, _: RequestId, outcome: Result<Reply>) -> Result<()> {
        // Where the keypad has ended, the next one is asked.
        let reply = outcome?;
        self.press(&String::from_utf8_lossy(reply.data()));
        self.ask()
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(Reply::new(self.macros_typed, self.typed.as_str()))
    }
}

impl MacroPad {
    fn reopen(&mut self) -> Result<()> {
        self.keypad = Client::open(&self.service)?;
        self.ask()
    }

    /// There is one request at all times: it waits in the keypad for a key.
    fn ask(&self) -> Result<()> {
        let ask = Ask {
            selector: NEXT_KEY,
            reply_max: 4,
            ..Ask::default()
        };
        self.keypad.submit_with_context(&ask, None, 0)?;
        Ok(())
    }

    /// `#` ends a sequence, `*` takes it back.
    fn press(&mut self, key: &str) {
        match key {
            "#" => self.end(),
            "*" => self.keys.clear(),
            _ if self.keys.len() < KEYS_MAX => self.keys.push_str(key),
            _ => {}
        }
    }

    fn end(&mut self) {
        let keys = std::mem::take(&mut self.keys);
        let Some(text) = self.macros.get(&keys) else {
            return info!("no macro for the keys `{keys}`");
        };
        if self.typed.len() + text.len() > TYPED_MAX {
            self.typed.clear();
        }
        self.typed.push_str(text);
        self.macros_typed += 1;
    }
}

driver!(MacroPad);
