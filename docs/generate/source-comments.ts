import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** A named thing in a source file and the first sentence of its doc comment. */
export interface Documented {
  name: string;
  /** The whole comment on one line; empty when there is none. */
  comment: string;
}

/** The public methods of a class, in the order of the source. */
export function methodsOf(file: string, className: string): Documented[] {
  const source = parse(file);
  const found = declarations(source).find((node) => ts.isClassDeclaration(node) && node.name?.text === className);
  if (found === undefined || !ts.isClassDeclaration(found)) throw new Error(`${file} has no class ${className}.`);
  return found.members.flatMap((member) => {
    if (!ts.isMethodDeclaration(member) || !ts.isIdentifier(member.name)) return [];
    const hidden = member.modifiers?.some(
      ({ kind }) => kind === ts.SyntaxKind.ProtectedKeyword || kind === ts.SyntaxKind.PrivateKeyword,
    );
    return hidden === true ? [] : [{ name: member.name.text, comment: commentOf(member) }];
  });
}

/** The properties of an interface, in the order of the source. */
export function propertiesOf(file: string, interfaceName: string): Documented[] {
  const found = declarations(parse(file)).find(
    (node) => ts.isInterfaceDeclaration(node) && node.name.text === interfaceName,
  );
  if (found === undefined || !ts.isInterfaceDeclaration(found))
    throw new Error(`${file} has no interface ${interfaceName}.`);
  return found.members.flatMap((member) =>
    ts.isPropertySignature(member) && ts.isIdentifier(member.name)
      ? [{ name: member.name.text, comment: commentOf(member) }]
      : [],
  );
}

/** The strings of a constant array, each with the comment before it. */
export function elementsOf(file: string, constant: string): Documented[] {
  const source = parse(file);
  let elements: Documented[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.name.text === constant) {
      const value =
        node.initializer !== undefined && ts.isAsExpression(node.initializer) ? node.initializer.expression : undefined;
      if (value !== undefined && ts.isArrayLiteralExpression(value)) {
        elements = value.elements.filter(ts.isStringLiteral).map((element) => ({
          name: element.text,
          comment: plain(source.text.slice(element.getFullStart(), element.getStart(source))),
        }));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return elements;
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
}

function declarations(source: ts.SourceFile): readonly ts.Statement[] {
  return source.statements;
}

function commentOf(node: ts.Node): string {
  const text = node.getSourceFile().text.slice(node.getFullStart(), node.getStart());
  const last = text.lastIndexOf('/**');
  return last === -1 ? '' : plain(text.slice(last));
}

function plain(comment: string): string {
  return comment
    .replace(/\/\*\*|\*\//g, '')
    .replace(/^\s*\*\s?/gm, '')
    .replace(/\{@link ([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
}
