/** One breakage of a production file, and the test file that must turn red for it. */
export interface Mutant {
  name: string;
  file: string;
  /** Text that is there once, and what takes its place. */
  from: string;
  to: string;
  /** Of the test folder. */
  red: string;
}

/** What careless hands might break, each a way in which a backup tool has lost data. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the log entry is not synced before it gets its name',
    file: 'src/vault/log/log.ts',
    from: `        await file.write([bytes]);
        await file.sync();
      }
      const outcome`,
    to: `        await file.write([bytes]);
      }
      const outcome`,
    red: 'simulator/simulator.test.ts',
  },
  {
    name: 'the name of the log entry is not made durable',
    file: 'src/vault/log/log.ts',
    from: `    try {
      await store.syncFolder('log');
    } catch (cause)`,
    to: `    try {
    } catch (cause)`,
    red: 'simulator/simulator.test.ts',
  },
  {
    name: 'a pack is not synced before it gets its name',
    file: 'src/vault/pack/pack-writer.ts',
    from: '    await file?.sync();\n',
    to: '',
    red: 'simulator/simulator.test.ts',
  },
  {
    name: 'the folders of packs and segments are not synced before the commit',
    file: 'src/cache/write-segments.ts',
    from: `  await Promise.all([...folders, 'index'].map((touched) => store.syncFolder(touched)));`,
    to: `  for (const _touched of [...folders, 'index']) continue;`,
    red: 'simulator/simulator.test.ts',
  },
  {
    name: 'rule J4 without a look at what was taken away meanwhile',
    file: 'src/jobs/make-point.ts',
    from: '  return lastCondemn > basis || lastQuarantine > basis ||',
    to: '  return (lastCondemn > basis && false) || (lastQuarantine > basis && false) ||',
    red: 'jobs/beaten.test.ts',
  },
  {
    name: 'rule J4 without its own packs',
    file: 'src/vault/vault.ts',
    from: `      if (adds.length > 0 ? state.jobs.get(job) !== 'open' : state.jobs.get(job) === 'closed') throw jobClosed(job);
      const manifest`,
    to: '      const manifest',
    red: 'jobs/backup-job.test.ts',
  },
  {
    name: 'rule J4 believes the base, whatever was quarantined since',
    file: 'src/jobs/make-point.ts',
    from: '  return base !== undefined && vault.state.lastQuarantine > base.sequence;',
    to: '  return base !== undefined && vault.state.lastQuarantine < 0;',
    red: 'jobs/beaten.test.ts',
  },
  {
    name: 'what a closed job adds is not void',
    file: 'src/vault/log/replay.ts',
    from: `  if (adds.length > 0 ? status !== 'open' : status === 'closed') return false;`,
    to: `  if (adds.length < 0 && status === 'closed') return false;`,
    red: 'vault/replay.test.ts',
  },
  {
    name: 'a merge of segments that somebody dropped is not void',
    file: 'src/vault/log/replay.ts',
    from: ' || !dropped.every((segment) => live.has(segment))) return;',
    to: ' || !dropped.some((segment) => live.has(segment))) return;',
    red: 'vault/replay.test.ts',
  },
  {
    name: 'the local index keeps packs that are condemned',
    file: 'src/cache/index-cache.ts',
    from: '    table.removePacks(table.packs().filter(({ name }) => unusable.has(name)));\n',
    to: '',
    red: 'jobs/beaten.test.ts',
  },
  {
    name: 'the local index does not notice that it missed a sweep',
    file: 'src/cache/index-cache.ts',
    from: `from < floor) return 'packs were swept since';`,
    to: `from < floor - 1e9) return 'packs were swept since';`,
    red: 'jobs/beaten.test.ts',
  },
  {
    name: 'a checkpoint is believed without a look at its entry',
    file: 'src/vault/log/log.ts',
    from: '        if ((stored && equalBytes(hashOf(stored), state.head)) || (await this.#isFollowed(state))) {',
    to: '        if (state.head) {',
    red: 'vault/checkpoint.test.ts',
  },
  {
    name: 'a salt is used twice',
    file: 'src/vault/crypto/keys.ts',
    from: '  const salt = random.bytes(32);\n',
    to: '  const salt = random.bytes(32).fill(7);\n',
    red: 'vault/crypto.test.ts',
  },
  {
    name: 'a tag is not checked',
    file: 'src/vault/crypto/sealer.ts',
    from: `      } catch {
        return undefined;
      }`,
    to: `      } catch {
        return bytes;
      }`,
    red: 'vault/structures.test.ts',
  },
  {
    name: 'the id of a block is not recomputed when it is read',
    file: 'src/vault/block-reader.ts',
    from: '      if (!equalBytes(found, id))',
    to: '      if (equalBytes(found, new Uint8Array(1)))',
    red: 'vault/pack.test.ts',
  },
  {
    name: 'a compressed block is not compared with the source',
    file: 'src/vault/pack/pack-writer.ts',
    from: `    if (this.#options.readBack === 'block' && codec !== 'none') checkReadBack(codec, payload, raw);\n`,
    to: '',
    red: 'vault/pack.test.ts',
  },
  {
    name: 'a key slot that the log does not list opens the vault',
    file: 'src/vault/vault.ts',
    from: 'if (slot && !log.damage && ',
    to: 'if (slot && log.damage && ',
    red: 'vault/slots.test.ts',
  },
  {
    name: 'a pinned point can be forgotten',
    file: 'src/vault/log/replay.ts',
    from: ' || isPinned(point, now) || ',
    to: ' || ',
    red: 'vault/replay.test.ts',
  },
  {
    name: 'a doubted clock moves the time of the log',
    file: 'src/vault/log/replay.ts',
    from: '  if (!entry.clockDoubted) {',
    to: '  {',
    red: 'vault/replay.test.ts',
  },
  {
    name: 'repair quarantines what could not be read',
    file: 'src/repair/confirm-packs.ts',
    from: '    const trouble = troubles.find(({ unread }) => unread === null);',
    to: '    const trouble = troubles[0];',
    red: 'repair/repair.test.ts',
  },
  {
    name: 'a gc forgets points that were made and forgotten while it was at work',
    file: 'src/prune/needs.ts',
    from: '      if (this.#lapsed.has(point.point) && !isSpared(point, now, softDelete)) return false;',
    to: '      if (!isSpared(point, now, softDelete)) return false;',
    red: 'prune/races.test.ts',
  },
  {
    name: 'repair believes a copy of an entry by its name',
    file: 'src/cache/entry-copies.ts',
    from: '  return stored && toHex(entryHash(stored)) === hash ? new Uint8Array(stored) : undefined;',
    to: '  return stored && new Uint8Array(stored);',
    red: 'repair/put-back.test.ts',
  },
  {
    name: 'a listing is trusted: packs that an interrupted run claims are taken without a look at them',
    file: 'src/vault/captured-pack.ts',
    from: `    if (pack.job !== job || pack.size > LARGEST.pack || (await hashObject(store, packPath(name))) !== name)
      return undefined;\n`,
    to: '',
    red: 'jobs/resume.test.ts',
  },
  {
    name: 'a point is committed before its segment is there (index after commit)',
    file: 'src/cache/write-segments.ts',
    from: `    await store.rename(path, segmentPath(name));
    await checkSegmentSize(store, name, size);
`,
    to: `    const { sequence } = vault.state;
    void (async () => {
      while (vault.state.sequence === sequence) await new Promise((resolve) => setImmediate(resolve));
      await store.rename(path, segmentPath(name));
    })().catch(() => undefined);
`,
    red: 'backup/faults.test.ts',
  },
  {
    name: 'sweep deletes what a job stored that is open (D4)',
    file: 'src/prune/orphans.ts',
    from: 'if (job !== undefined && known.closed.has(job))',
    to: 'if (job !== undefined)',
    red: 'prune/sweep.test.ts',
  },
  {
    name: 'a gc trusts the other copy of a block without reading it (D3)',
    file: 'src/prune/check-copies.ts',
    from: '    await read(blocks);\n',
    to: '    for (const { id } of blocks) ids.see(id);\n',
    red: 'prune/repack.test.ts',
  },
  {
    name: 'a gc spares no forgotten point, however short ago that was',
    file: 'src/vault/log/liveness.ts',
    from: '  return forgotten.time === null ? softDelete > 0 : Math.max(0, now - forgotten.time) < softDelete;',
    to: '  return forgotten.time === null && softDelete > now;',
    red: 'prune/gc.test.ts',
  },
  {
    name: 'a full disk does not use the reserve',
    file: 'src/jobs/open-reserve.ts',
    from: `if (!isError(error, 'NO_SPACE') || !(await free())) throw error;`,
    to: `if (isError(error) || !(await free())) throw error;`,
    red: 'prune/full-disk.test.ts',
  },
  {
    name: 'a point that was given up can be brought back',
    file: 'src/vault/log/replay.ts',
    from: '      drop(state, state.points, id);\n',
    to: '',
    red: 'prune/gc.test.ts',
  },
  {
    name: "a page begins as the base's: blocks that are not stored any more keep their ids",
    file: 'src/backup/leaf-scanner.ts',
    from: `    await this.#readRuns(runs, (run, bytes) => this.#scanRun(run, bytes, page, base));`,
    to: `    page.set(base);
    for (const { first, blocks } of runs)
      page.fill(0, (first % PAGE_IDS) * ID_BYTES, ((first % PAGE_IDS) + blocks) * ID_BYTES);
    await this.#readRuns(runs, (run, bytes) => this.#scanRun(run, bytes, page, base));`,
    red: 'backup/holes.test.ts',
  },
  {
    name: 'a gc counts on copies of blocks that were quarantined since its mark',
    file: 'src/prune/needs.ts',
    from: ' || lastQuarantine > this.#known.lastQuarantine;',
    to: ';',
    red: 'prune/races.test.ts',
  },
  {
    name: 'a gc gives up packs that were quarantined since its mark',
    file: 'src/prune/needs.ts',
    from: `      if (status === 'usable' && state.quarantined.has(name)) return false;\n`,
    to: '',
    red: 'prune/races.test.ts',
  },
  {
    name: 'the sources are not looked at again before the commit',
    file: 'src/jobs/make-point.ts',
    from: '  for (const source of sources) await checkUnchanged(source.disk, source);\n',
    to: '',
    red: 'jobs/backup-job.test.ts',
  },
  {
    name: 'a backup does not compare compressed blocks with the source',
    file: 'src/backup/open-block-store.ts',
    from: "readBack: 'block'",
    to: "readBack: 'none'",
    red: 'backup/spoilt.test.ts',
  },
  {
    name: 'a gc does not compare blocks that it compressed anew with what it read',
    file: 'src/prune/repack.ts',
    from: "readBack: 'block'",
    to: "readBack: 'none'",
    red: 'backup/spoilt.test.ts',
  },
  {
    name: 'an entry counts while it is being written',
    file: 'src/vault/log/without-links.ts',
    from: 'return told !== undefined && (',
    to: 'return false && told !== undefined && (',
    red: 'vault/log.test.ts',
  },
  {
    name: "a block beside zeros that a smaller new image cuts off is taken for the parent's",
    file: 'src/backup/plan-leaf.ts',
    from: 'found[n] === BITS.parent && n !== cut',
    to: '((found[n] as number) & (BITS.parent | BITS.data)) === BITS.parent && n !== cut',
    red: 'jobs/known-parents.test.ts',
  },
  {
    name: 'a parent is believed to be the disk of the latest point without a look at its stamps',
    file: 'src/jobs/known-parents.ts',
    from: 'then.every((file, n) => file === now[above + n])',
    to: 'then.every((file, n) => file !== undefined && now[above + n] !== undefined)',
    red: 'jobs/known-parents.test.ts',
  },
  {
    name: 'what the audit finds is not heeded',
    file: 'src/jobs/make-point.ts',
    from: 'if (capturing && distrust(run, capturing.disks)) {',
    to: 'if (capturing && distrust(run, capturing.disks) && run.started < 0) {',
    red: 'jobs/known-parents.test.ts',
  },
  {
    name: 'parents of the parent may be others',
    file: 'src/jobs/known-parents.ts',
    from: 'then.every((file, n) => file === now[above + n])',
    to: 'then[0] === now[above]',
    red: 'jobs/other-parents.test.ts',
  },
  {
    name: 'stamps of the files of one point are believed of another one',
    file: 'src/jobs/known-parents.ts',
    from: 'stamps?.point !== plan.base.logged.point || stamps.root !== base.root',
    to: '!stamps',
    red: 'jobs/other-parents.test.ts',
  },
  {
    name: 'the audit does not see that an image stores more than it did',
    file: 'src/backup/audit.ts',
    from: 'if (block === undefined) throw',
    to: 'if (block === -1) throw',
    red: 'jobs/other-parents.test.ts',
  },
];
