// Finds sections by words: `searchIn(index)` is a function from words to the best sections, with the addresses of all.
//
// tools/render/src/find/search.rs writes and documents the index. MiniSearch ranks the sections. The search box (src/find.js) and
// `cargo book find` both use this file, so it needs nothing of a browser.
globalThis.searchIn = (index) => {
  'use strict';

  const MOST = 15;
  // How many are shown instead where none has the words.
  const MOST_NEAR = 3;
  // What a word is worth, by the place where a section has it.
  const BOOST = { title: 6, messages: 4, questions: 6, aliases: 6, pageTitle: 2, sentence: 1.5 };

  const stop = new Set(index.stop.split(' '));

  // British spelling as American: `serialised` is `serialized`, and `behaviour` is `behavior`.
  const american = (word) =>
    word
      .replace(/(....[iy])s(?=(e|ed|er|ing|ation)$)/, '$1z')
      .replace(/(behavi|col|fav|hon|lab|neighb)our/, '$1or');

  // A word without its ending: `dropped`, `drops`, and `dropping` are `drop`.
  const stem = (word) => {
    let rest = american(word.length > 3 && /[^s]s$/.test(word) ? word.slice(0, -1) : word);
    const plain = rest.replace(/(ing|ed|ation)$/, '');
    if (plain !== rest && plain.length > 2) {
      rest = plain.replace(/(.)\1$/, '$1');
    }
    return rest.length > 3 ? rest.replace(/e$/, '') : rest;
  };

  // What a word is found by; `null` if it says nothing.
  const term = (word) => (stop.has(word) ? null : stem(word));

  // `join_next` is found by `join`, too.
  const split = (text) =>
    (text.toLowerCase().match(/[a-z0-9_]{2,}/g) ?? []).flatMap((word) =>
      word.includes('_') ? [word, ...word.split('_').filter((part) => part.length > 1)] : [word],
    );

  // The fragment that mdBook gives a heading.
  const fragment = (title) =>
    title
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');

  // A message as it is pasted, with or without backticks and line breaks.
  const plain = (text) =>
    text
      .toLowerCase()
      .replaceAll('`', '')
      .replace(/^error(\[e\d+\])?: /, '')
      .replace(/\s+/g, ' ')
      .trim();

  const read = () => {
    const sections = index.sections.map(([page, title, id, messages, questions, sentence], number) => ({
      id: number,
      address: `${index.pages[page][0]}#${id || fragment(title)}`,
      pageTitle: index.pages[page][1],
      title,
      messages,
      questions,
      aliases: [],
      sentence,
      phrases: [title, ...messages, ...questions].map(plain),
    }));
    let word = '';
    for (const line of index.aliases.split('\n').filter(Boolean)) {
      const [coded, ...places] = line.split(' ');
      word = word.slice(0, +coded[0]) + coded.slice(1);
      let section = 0;
      for (const place of places) {
        section += parseInt(place, 36);
        sections[section].aliases.push(word);
      }
    }
    return sections;
  };

  // The words that the index has, without their endings.
  const known = new Set();

  // What a query is searched by. Where a program panicked says nothing about the cause. If the book doesn't have
  // `ResetWithoutClosingHandshake`, it may have these four words.
  const searchable = (query) =>
    query
      .replace(/thread '[^']*' (\(\d+\) )?panicked at \S+:\d+:\d+:?/, '')
      .replace(/[A-Za-z]*[a-z][A-Z]\w*/g, (name) =>
        known.has(stem(name.toLowerCase())) ? name : `${name} ${name.replace(/([a-z\d])(?=[A-Z])/g, '$1 ')}`,
      );

  const sections = read();
  const engine = new MiniSearch({
    fields: Object.keys(BOOST),
    extractField: (section, field) => (field === 'id' ? section.id : [section[field]].flat().join(' ')),
    tokenize: split,
    processTerm: term,
    searchOptions: {
      boost: BOOST,
      prefix: (word) => word.length > 2,
      fuzzy: (word) => (word.length > 4 ? 0.2 : false),
      weights: { fuzzy: 0.2, prefix: 0.2 },
    },
  });
  engine.addAll(sections);
  for (const section of sections) {
    const texts = Object.keys(BOOST).flatMap((field) => section[field]);
    texts.flatMap(split).forEach((word) => known.add(stem(word)));
  }

  const page = (address) => address.split('#')[0];
  const isFirst = (id, address) => id === 0 || page(sections[id - 1].address) !== page(address);

  // How much better a section is that has the pasted words in one piece, or whose message is a part of what was pasted. One
  // word alone names a subject, which a page's beginning explains.
  const exactness = ({ id, address, phrases }, pasted) => {
    if (!pasted.includes(' ')) {
      const isTitle = phrases[0] === pasted;
      return isTitle ? 8 : isFirst(id, address) ? 1.5 : 1;
    }
    const each = phrases.map((phrase, number) => {
      // The first is the title.
      if (number === 0 && phrase.includes(`"${pasted}"`)) {
        return isFirst(id, address) ? 16 : 10;
      }
      if (phrase === pasted) {
        return 8;
      }
      if (phrase.includes(pasted)) {
        return 2.5;
      }
      return phrase.includes(' ') && phrase.length > 15 && pasted.includes(phrase) ? 1.5 : 1;
    });
    return Math.max(...each);
  };

  // The sections that have a word, with their scores. Comparing it with all words of the index takes most of a search's time, and while
  // a reader types, only the last word changes.
  const scored = new Map();
  const MOST_SCORED = 1000;
  const scores = (term) => {
    if (!scored.has(term)) {
      if (scored.size === MOST_SCORED) {
        scored.clear();
      }
      const found = engine.search(term, { tokenize: (it) => [it], processTerm: (it) => it });
      scored.set(term, new Map(found.map(({ id, score }) => [id, score])));
    }
    return scored.get(term);
  };

  // The sections that have any of some words. As in MiniSearch, what the words score is added, times the number of words found.
  const rank = (query) => {
    const terms = split(query).map(term).filter(Boolean);
    const found = new Map();
    for (const term of terms) {
      for (const [id, score] of scores(term)) {
        const hit = found.get(id) ?? { id, sum: 0, terms: new Set() };
        hit.sum += score;
        hit.terms.add(term);
        found.set(id, hit);
      }
    }
    return [...found.values()].map(({ id, sum, terms }) => ({ id, score: sum * terms.size }));
  };

  // The best sections for some words. All of a score's digits decide, so that the order is always the same.
  const search = (query) => {
    const pasted = plain(query);
    // A pasted `thread 'main' panicked at src/main.rs:3:5:` is only the place. The message is on the next line.
    let ranked = rank(searchable(query).trim() || 'panic messages');
    if (ranked.length === 0 && pasted.includes(' ')) {
      // None of its words is in the index ("there is one"), but a message may be made of them.
      ranked = sections.filter(({ phrases }) => phrases.some((phrase) => phrase.includes(pasted)));
    }
    const found = ranked.map(({ id, score = 1 }) => {
      const section = sections[id];
      return { section, score: score * exactness(section, pasted) };
    });
    found.sort((a, b) => b.score - a.score || a.section.id - b.section.id);
    return found.slice(0, MOST).map(({ section }) => section);
  };

  // What is spelled most like the words of a query that finds nothing.
  const nearest = (query) => {
    const near = engine.search(query, { fuzzy: 0.34, prefix: true });
    return near.slice(0, MOST_NEAR).map(({ id }) => sections[id]);
  };

  return Object.assign(search, { nearest, addresses: sections.map(({ address }) => address) });
};
