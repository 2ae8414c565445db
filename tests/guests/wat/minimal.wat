;; A driver without the SDK, against the contract alone: the granted output
;; `led` is driven high at the start and toggled by a 10 ms timer. It serves
;; nothing. A core module; made a component of the world `loopgate:driver/driver`
;; by wit-component.
;;
;; The canonical ABI in short: a string or list is its address and length; a
;; result of more than one word is written to an address, which the caller
;; passes last (imports) or the function returns (exports). Results of imports
;; begin with their case, 0 for `ok`.
(module
  (import "loopgate:driver/gpio@0.1.0" "[static]pin.open"
    (func $pin_open (param $name i32) (param $length i32) (param $direction i32) (param $high i32)
      (param $result i32)))
  (import "loopgate:driver/gpio@0.1.0" "[method]pin.set"
    (func $pin_set (param $pin i32) (param $high i32) (param $result i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[static]work-loop.get"
    (func $work_loop_get (result i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[method]work-loop.add-event-source"
    (func $add_event_source (param $loop i32) (param $kind i32) (param $source i32)
      (param $result i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[static]timer-event-source.create"
    (func $timer_create (param $token i32) (param $result i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[method]timer-event-source.enable"
    (func $timer_enable (param $timer i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[method]timer-event-source.set-timeout"
    (func $timer_set_timeout (param $timer i32) (param $after i64) (param $result i32)))
  (import "loopgate:driver/work-loop@0.1.0" "[method]timer-event-source.wake-at"
    (func $timer_wake_at (param $timer i32) (param $deadline i64) (param $result i32)))

  (memory (export "memory") 1)

  ;; Where imports write their results: `result<own<..>, error-code>` has the
  ;; case at 0 and the handle at 4, `result<_, error-code>` the case at 0.
  (global $result i32 (i32.const 0))
  ;; What `start` returns: case at 16, text at 20, its length at 24.
  (global $started i32 (i32.const 16))
  ;; What `command` returns, zero but for what is said here: `done` (case 0, at
  ;; 32) of an error (case 1, at 40), `unsupported` (the eleventh, at 48).
  (global $outcome i32 (i32.const 32))
  ;; What pins and `restore-state` answer: an error (case 1, at 56),
  ;; `unsupported` (at 57).
  (global $refused i32 (i32.const 56))
  ;; What `set-power-state` returns.
  (global $made i32 (i32.const 128))
  ;; What `save-state` returns: an error (case 1), `unsupported` (4 on).
  (global $stateless i32 (i32.const 144))
  (data (i32.const 40) "\01")
  (data (i32.const 48) "\0a")
  (data (i32.const 56) "\01\0a")
  (data (i32.const 64) "led")
  (data (i32.const 144) "\01\00\00\00\0a")
  (data (i32.const 80) "output `led`, or its timer, could not be had")

  (global $period i64 (i64.const 10_000_000))
  (global $led (mut i32) (i32.const 0))
  (global $timer (mut i32) (i32.const 0))
  (global $high (mut i32) (i32.const 1))
  (global $heap (mut i32) (i32.const 1024))

  ;; Whether the latest import failed.
  (func $failed (result i32)
    (i32.load8_u (global.get $result)))

  ;; The handle that the latest import gave.
  (func $handle (result i32)
    (i32.load offset=4 (global.get $result)))

  ;; Opens and arms everything; 1 where something failed.
  (func $open (result i32)
    (call $pin_open (i32.const 64) (i32.const 3) (i32.const 1) (i32.const 1) (global.get $result))
    (if (call $failed) (then (return (i32.const 1))))
    (global.set $led (call $handle))

    (call $timer_create (i32.const 1) (global.get $result))
    (if (call $failed) (then (return (i32.const 1))))
    (global.set $timer (call $handle))

    (call $add_event_source
      (call $work_loop_get) (i32.const 1) (global.get $timer) (global.get $result))
    (if (call $failed) (then (return (i32.const 1))))
    (call $timer_enable (global.get $timer))

    (call $timer_set_timeout (global.get $timer) (global.get $period) (global.get $result))
    (call $failed))

  (func (export "loopgate:driver/handlers@0.1.0#start")
    (param $cause i32) (param $config i32) (param $entries i32) (result i32)
    (if (call $open)
      (then
        (i32.store8 (global.get $started) (i32.const 1))
        (i32.store offset=4 (global.get $started) (i32.const 80))
        (i32.store offset=8 (global.get $started) (i32.const 44))))
    (global.get $started))

  (func (export "loopgate:driver/handlers@0.1.0#stop"))

  ;; It has no state: the next version starts afresh, and is given none.
  (func (export "loopgate:driver/handlers@0.1.0#save-state") (result i32)
    (global.get $stateless))

  (func (export "loopgate:driver/handlers@0.1.0#restore-state")
    (param $version i32) (param $state i32) (param $length i32) (result i32)
    (global.get $refused))

  (func (export "loopgate:driver/handlers@0.1.0#interrupt-occurred")
    (param $source i32) (param $count i32) (param $lost i32) (param $sequence i64)
    (param $timestamp i64) (param $high i32))

  ;; Never asked: it creates no source with a filter. `mine`, the second.
  (func (export "loopgate:driver/handlers@0.1.0#filter")
    (param $source i32) (param $word i64) (param $levels i64) (param $sequence i64)
    (param $timestamp i64) (param $high i32) (result i32)
    (i32.const 1))

  (func (export "loopgate:driver/handlers@0.1.0#timeout-occurred")
    (param $source i32) (param $deadline i64) (param $now i64)
    (global.set $high (i32.eqz (global.get $high)))
    (call $pin_set (global.get $led) (global.get $high) (global.get $result))
    (call $timer_wake_at
      (global.get $timer)
      (i64.add (local.get $deadline) (global.get $period))
      (global.get $result)))

  (func (export "loopgate:driver/handlers@0.1.0#command")
    (param $gate i32) (param $id i64) (param $may_wait i32) (param $immediate i32)
    (param $reply_max i32) (param $selector i32) (param i64 i64 i64 i64) (param $data i32) (param $length i32)
    (result i32)
    (global.get $outcome))

  (func (export "loopgate:driver/handlers@0.1.0#resume") (param $id i64) (param $wake i32))

  (func (export "loopgate:driver/handlers@0.1.0#cancelled") (param $id i64))

  ;; An outcome flattens to its case, the reply's scalar or the error, and the
  ;; reply's data.
  (func (export "loopgate:driver/handlers@0.1.0#completed")
    (param $context i32) (param $id i64) (param $case i32) (param $scalar i64)
    (param $data i32) (param $length i32))

  ;; Nobody calls these three: it publishes no pins. `unsupported` (as in
  ;; `command`), in the two bytes at 56.
  (func (export "loopgate:driver/handlers@0.1.0#pin-read") (param $pin i32) (result i32)
    (global.get $refused))

  (func (export "loopgate:driver/handlers@0.1.0#pin-write")
    (param $pin i32) (param $high i32) (result i32)
    (global.get $refused))

  (func (export "loopgate:driver/handlers@0.1.0#pin-configure")
    (param $pin i32) (param $direction i32) (param $high i32) (result i32)
    (global.get $refused))

  ;; `ready`, the first.
  (func (export "loopgate:driver/handlers@0.1.0#structural")
    (param $event i32) (param $service i32) (param $length i32) (result i32)
    (i32.const 0))

  (func (export "loopgate:driver/handlers@0.1.0#allow-power-change")
    (param $state i32) (result i32)
    (i32.const 1))

  ;; `made`, the first: 8 bytes of zeros, then what the case would carry.
  (func (export "loopgate:driver/handlers@0.1.0#set-power-state")
    (param $state i32) (result i32)
    (global.get $made))

  (func (export "loopgate:driver/handlers@0.1.0#power-state-did-change") (param $state i32))

  ;; Only `start` and `structural` are handed memory (the config, a name) and nothing is given back,
  ;; so the heap only grows. Blocks are never resized: the host asks for that only
  ;; where it has to convert strings, and both sides speak UTF-8.
  (func (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $block i32)
    (local.set $block
      (i32.and
        (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $block) (local.get $size)))
    (block $fits
      (loop $grow
        (br_if $fits
          (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
        (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      unreachable)
    (local.get $block)))
