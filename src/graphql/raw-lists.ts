import { randomUUID } from 'node:crypto';
import type { ApolloServerPlugin } from '@apollo/server';
import type { JsonList } from '../domain/json-list.js';
import type { RequestContext } from './context.js';

/**
 * Lists of an answer that are at hand as JSON. graphql-js completes a list item by item, which for a month of quarter-hours in
 * three columns is most of the work of a request. A resolver hands it one item that stands for all; graphql-js puts it where
 * aliases, fragments and errors want it, and the text takes its place when the answer is written. For HTTP only: answers over
 * WebSocket and in the process have no such moment, and get the list itself.
 */
export class RawLists {
  private readonly lists: string[] = [];
  /** Nobody can guess it, so no stored text can be mistaken for a place. */
  private readonly mark = `raw list ${randomUUID()} `;

  get used(): boolean {
    return this.lists.length > 0;
  }

  /** What a resolver returns for the list. */
  standIn(list: JsonList<unknown>): Iterable<string> {
    if (list.length === 0) return [];
    return [`${this.mark}${this.lists.push(list.items) - 1}`];
  }

  /** Puts the lists where JSON has their stand-ins. */
  spliceInto(json: string): string {
    const [head = '', ...parts] = json.split(`"${this.mark}`);
    let text = head;
    for (const part of parts) {
      const end = part.indexOf('"');
      text += this.lists[Number(part.slice(0, end))]!;
      text += part.slice(end + 1);
    }
    return text;
  }
}

/** What a resolver returns for a list that is at hand as JSON. */
export function listOf<T>(list: JsonList<T>, { rawLists }: Pick<RequestContext, 'rawLists'>): Iterable<T | string> {
  return rawLists ? rawLists.standIn(list) : list;
}

/** The lists of answers that are about to be written, by their data: the writer is given nothing else of a request. */
const waiting = new WeakMap<object, RawLists>();

/** Keeps the lists of an answer until `stringifyAnswer` writes it. */
export const rawListsInAnswers: ApolloServerPlugin<RequestContext> = {
  requestDidStart: async () => ({
    willSendResponse: async ({ contextValue: { rawLists }, response: { body } }) => {
      if (rawLists?.used && body.kind === 'single' && body.singleResult.data)
        waiting.set(body.singleResult.data, rawLists);
    },
  }),
};

/** The text of an answer, as Apollo writes it. */
export function stringifyAnswer(answer: { data?: object | null }): string {
  const json = `${JSON.stringify(answer)}\n`;
  const rawLists = answer.data ? waiting.get(answer.data) : undefined;
  return rawLists ? rawLists.spliceInto(json) : json;
}
