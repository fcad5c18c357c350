import { join } from 'node:path';
import { API, type Checker, SignatureKind, type Symbol as Sym, SymbolFlags, type Type } from 'typescript/unstable/sync';

/** What a door of the library exports, as the compiler sees it. */
export interface Export {
  name: string;
  kind: 'function' | 'class' | 'type' | 'value';
  /** Of its doc comment; of functions `throws` too. */
  documented: boolean;
  throws: boolean;
  /** It can be cancelled, or cannot and need not be. */
  waits: 'no' | 'until done or cancelled' | 'until done';
  /** Fields and methods, without those that are marked @internal. */
  members: Omit<Export, 'members' | 'kind'>[];
}

const ROOT = join(import.meta.dirname, '../..');

/** The exports of modules of the project. */
export function readDoors(paths: readonly string[]): Map<string, Export[]> {
  const api = new API({ cwd: ROOT });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.json')] });
    const { checker, program } = snapshot.getProjects()[0]!;
    return new Map(
      paths.map((path) => {
        const door = checker.getSymbolAtLocation(program.getSourceFile(join(ROOT, path))!)!;
        return [path, checker.getExportsOfModule(door).map((symbol) => exportOf(checker, symbol))];
      }),
    );
  } finally {
    api.close();
  }
}

function exportOf(checker: Checker, symbol: Sym): Export {
  const target = symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const members = target.flags & (SymbolFlags.Interface | SymbolFlags.Class) ? [...target.getMembers().values()] : [];
  return {
    ...facts(checker, target),
    name: symbol.name,
    kind: kindOf(target),
    members: members
      .filter((member) => !tagsOf(checker, member).includes('internal') && !/^_|@/.test(member.name))
      .map((member) => facts(checker, member)),
  };
}

function kindOf({ flags }: Sym): Export['kind'] {
  if (flags & SymbolFlags.Function) return 'function';
  if (flags & SymbolFlags.Class) return 'class';
  return flags & SymbolFlags.Variable ? 'value' : 'type';
}

function facts(checker: Checker, symbol: Sym): Omit<Export, 'members' | 'kind'> {
  return {
    name: symbol.name,
    documented: checker.getDocumentationCommentOfSymbol(symbol) !== '',
    throws: tagsOf(checker, symbol).includes('throws'),
    waits: waitsOf(checker, symbol),
  };
}

function tagsOf(checker: Checker, symbol: Sym): string[] {
  return checker.getJsDocTagsOfSymbol(symbol).map(({ name }) => name);
}

function waitsOf(checker: Checker, symbol: Sym): Export['waits'] {
  if (!(symbol.flags & (SymbolFlags.Function | SymbolFlags.Method))) return 'no';
  const [signature] = checker.getSignaturesOfType(checker.getTypeOfSymbol(symbol)!, SignatureKind.Call);
  const result = checker.typeToString(checker.getReturnTypeOfSignature(signature!)!);
  if (!/^(Promise|Async)/.test(result)) return 'no';
  const last = signature!.getParameters().at(-1);
  return last && hasSignal(checker, checker.getTypeOfSymbol(last)!) ? 'until done or cancelled' : 'until done';
}

function hasSignal(checker: Checker, type: Type): boolean {
  return checker.getPropertyOfType(checker.getNonNullableType(type)!, 'signal') !== undefined;
}
