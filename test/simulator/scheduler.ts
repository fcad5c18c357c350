import { throwIfAborted } from '../../src/base/abort.ts';
import { VhdvaultError } from '../../src/base/errors.ts';
import type { Draw } from '../fuzz/draw.ts';
import { running, type SimProcess } from './process.ts';
import { quiet } from './simulated-system.ts';

/** Something that a process waits for until the seed lets it happen. */
interface Gate {
  process: SimProcess;
  what: string;
  /** Does it, and tells in words what came of it. */
  pass(): string;
  refuse(): void;
}

interface Timer {
  process: SimProcess;
  due: number;
  /** 0: once. */
  interval: number;
  fire(): void;
  refuse(): void;
}

/** Finds something wrong: the world, or what the vault made of it, is not as it must be. */
export class Violation extends Error {}

const MOST_STEPS = 60_000;
/** Of what a dead process tries. */
const MOST_REFUSED = 3000;

/**
 * Lets one thing happen at a time: one gate of one process is opened, chosen by the seed among those that wait, and the next
 * is chosen when nothing moves any more. Time is the scheduler's too.
 */
export class Scheduler {
  /** Milliseconds since 1970. */
  time: number = Date.UTC(2026, 0, 1);
  step = 0;
  /** Every step, in words. */
  readonly trace: string[] = [];
  readonly #draw: Draw;
  /** One in so many steps goes on with another process than the one before. */
  readonly #switches: number;
  #gates: Gate[] = [];
  #timers: Timer[] = [];
  #last: SimProcess | undefined;
  #failure: Error | undefined;
  /** Nobody could go on in the step before this one. */
  #isStill = false;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#switches = draw.one([1, 1, 2, 5, 20, 60]);
  }

  /** Waits for its turn (`plain`: without), then does `work`. A dead process never gets one. */
  gate<T>(process: SimProcess, what: string, work: () => T, plain = false): Promise<T> {
    if (process.state !== 'running') return this.#refuse(process);
    if (plain) return Promise.resolve().then(work);
    return new Promise<T>((resolve, reject) => {
      this.#gates.push({
        ...{ process, what },
        pass() {
          try {
            const result = work();
            resolve(result);
            return typeof result === 'string' ? result : '';
          } catch (error) {
            reject(error);
            return (error as VhdvaultError).code;
          }
        },
        refuse: () => reject(isDead(process)),
      });
    });
  }

  sleep(process: SimProcess, milliseconds: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (process.state !== 'running') return Promise.reject(isDead(process));
    return new Promise((resolve, reject) => {
      const due = this.time + milliseconds;
      const timer = { process, due, interval: 0, fire: resolve, refuse: () => reject(isDead(process)) };
      this.#timers.push(timer);
      signal?.addEventListener('abort', () => {
        this.#drop(timer);
        reject(new VhdvaultError('CANCELLED', 'cancelled'));
      });
    });
  }

  /** As `setInterval` is for a process; returns what stops it. */
  every(process: SimProcess, milliseconds: number, work: () => void): () => void {
    const fire = (): void => running.run(process, work);
    const timer = { process, due: this.time + milliseconds, interval: milliseconds, fire, refuse: () => undefined };
    this.#timers.push(timer);
    return () => this.#drop(timer);
  }

  /** From this moment on the process does nothing any more. */
  kill(process: SimProcess): void {
    process.state = 'dead';
    process.endedAt = this.step;
    process.endedTime = this.time;
    for (const gate of this.#gates) if (gate.process === process) gate.refuse();
    for (const timer of this.#timers) if (timer.process === process) timer.refuse();
    this.#forget(process);
    for (const database of process.databases) if (database.isOpen) database.close();
  }

  /** The process came to its end. */
  ended(process: SimProcess): void {
    if (process.state !== 'running') return;
    process.state = 'ended';
    process.endedAt = this.step;
    process.endedTime = this.time;
    const [left] = this.#gates.filter((gate) => gate.process === process);
    this.#forget(process);
    if (left) throw new Violation(`${process.name} ended, and did not wait for: ${left.what}`);
  }

  /** Opens one gate of a process that is about to die, if it waits at any. */
  openOneOf(process: SimProcess): void {
    const waiting = this.#gates.filter((gate) => gate.process === process);
    if (waiting.length > 0) this.#open(this.#draw.one(waiting));
  }

  /** Time goes by, and nothing happens but what timers do. */
  pass(milliseconds: number): void {
    this.#moveTo(this.time + milliseconds);
  }

  /** The world ends here. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  note(text: string): void {
    this.trace.push(`${this.step} ${text}`);
  }

  /** What the next step of each process would be, for those that can take one. */
  ready(): { process: SimProcess; what: string }[] {
    return this.#gates.filter(({ process }) => process.stoppedUntil <= this.step);
  }

  /**
   * Goes on until `done`. `before` is asked ahead of each step: what it does (a crash, a start) may be all of the step, which
   * it tells. It learns whether anybody else could take a step.
   */
  async run(done: () => boolean, before: (idle: boolean) => boolean = () => false): Promise<void> {
    for (;;) {
      await quiet();
      if (this.#failure) throw this.#failure;
      if (done()) return;
      if (++this.step > MOST_STEPS) throw new Violation(`no end after ${MOST_STEPS} steps`);
      if (this.#advance()) await quiet();
      if (before(this.ready().length === 0)) continue;
      const gate = this.#choose();
      if (gate) this.#open(gate);
      const isStill = !gate && !this.#wakeSomebody();
      if (isStill) await this.#checkStuck(done);
      this.#isStill = isStill;
    }
  }

  /** Whom `before` woke has not come to a gate yet; whom it let end in this step starts another one in the next. */
  async #checkStuck(done: () => boolean): Promise<void> {
    await quiet();
    const isStuck = !done() && this.#gates.length === 0 && this.#timers.every(({ interval }) => interval > 0);
    if (isStuck && this.#isStill) throw new Violation(`nobody can go on: ${this.#describeStuck()}`);
  }

  /** Who never stops trying stands still at last, so that it can be told. */
  #refuse<T>(process: SimProcess): Promise<T> {
    return ++process.refused > MOST_REFUSED ? new Promise(() => undefined) : Promise.reject(isDead(process));
  }

  #choose(): Gate | undefined {
    const ready = this.#gates.filter(({ process }) => process.stoppedUntil <= this.step);
    const same = this.#draw.below(this.#switches) > 0 ? ready.filter(({ process }) => process === this.#last) : [];
    const from = same.length > 0 ? same : ready;
    return from.length > 0 ? this.#draw.one(from) : undefined;
  }

  #open(gate: Gate): void {
    this.#gates.splice(this.#gates.indexOf(gate), 1);
    this.#last = gate.process;
    const { pid, machine, name } = gate.process;
    const result = gate.pass();
    this.note(`${pid}@${machine.name} ${name}: ${gate.what}${result && ` -> ${result}`}`);
  }

  /** Most steps take milliseconds, some seconds, few a minute. */
  #advance(): boolean {
    const of = this.#draw.below(1000);
    return this.#moveTo(this.time + 1 + this.#draw.below(of < 960 ? 10 : of < 998 ? 2000 : 90_000));
  }

  /** Tells whether a timer went off. */
  #moveTo(time: number): boolean {
    let fired = false;
    this.time = Math.max(this.time, time);
    for (const timer of [...this.#timers]) {
      if (timer.due > this.time || timer.process.stoppedUntil > this.step) continue;
      if (timer.interval > 0) timer.due = this.time + timer.interval;
      else this.#drop(timer);
      timer.fire();
      fired = true;
    }
    return fired;
  }

  /** Nobody has anything to do now: those who were stopped go on, else time passes to the next timer. */
  #wakeSomebody(): boolean {
    const [stopped] = [...this.#gates, ...this.#timers]
      .filter(({ process }) => process.stoppedUntil > this.step)
      .sort((a, b) => a.process.stoppedUntil - b.process.stoppedUntil);
    const once = this.#timers.filter(({ process, interval }) => interval === 0 && process.stoppedUntil <= this.step);
    if (once.length > 0) this.#moveTo(Math.min(...once.map(({ due }) => due)));
    else if (stopped) stopped.process.stoppedUntil = this.step;
    return once.length > 0 || stopped !== undefined;
  }

  #forget(process: SimProcess): void {
    this.#gates = this.#gates.filter((gate) => gate.process !== process);
    this.#timers = this.#timers.filter((timer) => timer.process !== process);
  }

  #drop(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  #describeStuck(): string {
    const waiting = [...this.#gates, ...this.#timers].map(({ process }) => `${process.pid} ${process.name}`);
    return waiting.join(', ') || 'no gate, no timer';
  }
}

function isDead({ pid }: SimProcess): VhdvaultError {
  return new VhdvaultError('IO', `simulated process ${pid} is dead`);
}
