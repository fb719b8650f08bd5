// The search box in the header of every page (theme/site.js loads this when the box is first used).
//
// The index is a part of the page "Find". For all other pages that page searches, in a hidden frame, because a page that was opened
// as a file can't read another file, and can exchange messages with it.
(() => {
  'use strict';

  const form = document.getElementById('search');
  const input = document.getElementById('query');
  const results = form.querySelector('.results');
  const status = form.querySelector('[role=status]');
  const list = form.querySelector('ol');
  const index = document.getElementById('search-index');
  // The name of the frame. (The whole book may stand in a frame, too.)
  const FRAME = 'search-index';

  // --- Searching ------------------------------------------------------------------------------------

  // On the page "Find": from a query to its answer.
  const answering = () => {
    const search = searchIn(JSON.parse(index.textContent));
    const shown = ({ address, title, pageTitle, sentence }) => ({ address, title, pageTitle, sentence });
    return (query) => {
      const found = search(query);
      return { query, found: found.map(shown), near: found.length ? [] : search.nearest(query).map(shown) };
    };
  };

  // On the other pages: `show` gets the answer of the frame.
  const asking = (show) => {
    const frame = document.createElement('iframe');
    frame.hidden = true;
    frame.title = 'Search index';
    frame.name = FRAME;
    frame.src = `${path_to_root}find.html`;
    let isReady = false;
    let latest = null;
    const ask = (query) => {
      latest = query;
      if (isReady) {
        frame.contentWindow.postMessage(query, '*');
      }
    };
    addEventListener('message', ({ source, data }) => {
      if (source !== frame.contentWindow) {
        return;
      }
      if (data === 'ready') {
        isReady = true;
        if (latest !== null) {
          ask(latest);
        }
      } else {
        show(data);
      }
    });
    document.body.append(frame);
    return ask;
  };

  if (window.name === FRAME && index) {
    const answer = answering();
    addEventListener('message', ({ source, data }) => {
      if (source === parent) {
        parent.postMessage(answer(data), '*');
      }
    });
    parent.postMessage('ready', '*');
    return;
  }

  // --- Showing --------------------------------------------------------------------------------------

  const element = (name, ...children) => {
    const made = document.createElement(name);
    made.append(...children);
    return made;
  };

  const linkTo = (href, text) => Object.assign(element('a', text), { href });

  const item = ({ address, title, pageTitle, sentence }) => {
    const link = linkTo(path_to_root + address, title.replaceAll('`', ''));
    // A page's first section has the page's title.
    const where = title === pageTitle ? [] : [element('em', pageTitle)];
    return element('li', link, element('p', ...where, sentence));
  };

  const elsewhere = () => {
    const item = element(
      'li',
      'Or look through the ',
      linkTo(`${path_to_root}debugging/symptoms.html`, 'symptoms'),
      ' and the ',
      linkTo(`${path_to_root}find.html#by-message`, 'messages'),
      ', or ask at ',
      linkTo('https://users.rust-lang.org', 'users.rust-lang.org'),
      ' or in ',
      linkTo('https://discord.gg/tokio', 'Tokio’s Discord'),
      '.',
    );
    item.className = 'elsewhere';
    return item;
  };

  const show = ({ query, found, near }) => {
    if (query !== input.value.trim()) {
      // There is a newer query.
      return;
    }
    if (found.length === 0) {
      status.textContent = `No section has “${query}”. ${near.length ? 'Sections with similar words:' : 'Try fewer or other words.'}`;
      list.replaceChildren(...near.map(item), elsewhere());
    } else {
      status.textContent = found.length === 1 ? '1 result' : `${found.length} results, the best first`;
      list.replaceChildren(...found.map(item));
    }
    results.classList.add('open');
    results.scrollTop = 0;
  };

  const close = () => {
    results.classList.remove('open');
    status.textContent = '';
    list.replaceChildren();
  };

  let ask;
  const find = () => {
    const query = input.value.trim();
    try {
      sessionStorage.setItem('query', query);
    } catch {
      // No storage: the next page starts with an empty box.
    }
    if (!query) {
      close();
      return;
    }
    if (!ask) {
      const answer = index && answering();
      ask = answer ? (words) => show(answer(words)) : asking(show);
    }
    ask(query);
  };

  input.addEventListener('input', find);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    list.querySelector('a')?.click();
  });
  form.addEventListener('keydown', (event) => {
    const stops = [input, ...list.querySelectorAll('a')];
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (way) {
      event.preventDefault();
      stops[stops.indexOf(document.activeElement) + way]?.focus();
    } else if (event.key === 'Escape') {
      input.value = '';
      find();
      input.focus();
    }
  });
  // A result on this page closes the list, and so does whatever else gets the focus.
  list.addEventListener('click', close);
  form.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !form.contains(relatedTarget)) {
      close();
    }
  });
  document.addEventListener('pointerdown', ({ target }) => {
    if (!form.contains(target)) {
      close();
    }
  });

  // An address with words, or the words of the page before, whose other results a reader may want.
  const asked = new URLSearchParams(location.search).get('q');
  if (asked) {
    input.value = asked;
  } else if (!input.value) {
    try {
      input.value = sessionStorage.getItem('query') ?? '';
      input.select();
    } catch {
      // No storage.
    }
  }
  find();
})();
