"""Every sentence a visitor reads, in Turkish."""

from __future__ import annotations

from typing import ClassVar

from backend.base import Effort
from backend.why import Reason
from chat.events import Stage
from ui.words.english import Words


class Turkish(Words):
    """Türkçe. What it does not override would be read in English; a test holds that it is all."""

    TAG = "tr"
    NAME = "Türkçe"

    TAGLINE = "Adımları görünen tıbbi akıl yürütme"
    PREVIEW = "MedicalGPT: adımları görünen tıbbi akıl yürütme"
    PLACEHOLDER = "Tıbbi bir soru sorun"
    INTRO = (
        "Tıp eğitimi, klinik akıl yürütme alıştırması, araştırma ve karar desteğinin incelenmesi "
        "içindir. Akıl yürütme ile yanıt ayrı ayrı durur; böylece birini ötekiyle "
        "karşılaştırabilirsiniz."
    )
    EXAMPLES = (
        "Renin-anjiyotensin-aldosteron sisteminin kan basıncını nasıl düzenlediğini açıklayın.",
        "34 yaşında bir kadında halsizlik, kilo artışı, soğuğa tahammülsüzlük ve kabızlık var. "
        "Ayırıcı tanı nedir?",
        "Yeni tanı konmuş tip 2 diyabette tedavi seçenekleri nelerdir, aralarında nasıl seçim "
        "yapılır?",
        "Diyabetik ketoasidozun patofizyolojisini anlatın.",
    )

    DISCLAIMER = (
        "Eğitim ve araştırma içindir. Tıbbi cihaz değildir, hekimin yerini tutmaz. Acil bir "
        "durumda bulunduğunuz yerin acil çağrı numarasını arayın."
    )
    DISCLAIMER_LINK = "Bu nedir, ne değildir"
    DISCLAIMER_TITLE = "MedicalGPT nedir, ne değildir"
    DISCLAIMER_SECTIONS = (
        (
            "Yalnızca eğitim ve araştırma",
            "MedicalGPT, tıp hakkında metin yazan bir dil modelidir. Öğrenmek, klinik akıl "
            "yürütme alıştırması yapmak, araştırma yapmak ve karar desteğini incelemek içindir. "
            "Tıbbi cihaz değildir. Tanı koymaz, tedavi etmez.",
        ),
        (
            "Hekimin yerini tutmaz",
            "Kendinizin ya da bir başkasının sağlığı hakkında karar vermek için kullanmayın. "
            "Söylediğine bakarak bir tedaviye başlamayın, tedaviyi kesmeyin ya da değiştirmeyin, "
            "hekime gitmeyi ertelemeyin. Bir hekimin buradan alacağı her bilgi önce birincil "
            "kaynaklarla karşılaştırılmalıdır.",
        ),
        (
            "Yanılabilir ve yanılırken emin görünebilir",
            "Model bilgi, doz, çalışma ve kaynak uydurabilir. Sizi, geçmişinizi ve tetkiklerinizi "
            "bilmez; eksik ve yanlı verilerle eğitilmiştir. GPU olmadan çalışan küçük model, bu "
            "sayfayı tanıtmak içindir: tıbbi içeriği çoğu zaman yanlıştır.",
        ),
        (
            "Akıl yürütme, çalışma notlarıdır",
            "Akıl yürütme bölümü, modelin yanıttan önce yazdıklarını gösterir. Doğrulanmamıştır, "
            "yanıta göre daha gevşek bir ölçüyle değerlendirilir ve yanıtın gerçekte nasıl "
            "oluştuğunu açıklamaz.",
        ),
        (
            "Acil durumlar",
            "Birisi tehlikede olabilirse yazmayın, bulunduğunuz yerin acil çağrı numarasını "
            "arayın: örneğin Türkiye'de ve Avrupa'da 112, ABD ve Kanada'da 911, Birleşik "
            "Krallık'ta 999. Yazdıklarınız acil bir durumu ya da ruhsal bir krizi düşündürüyorsa "
            "numaraların bulunduğu bir uyarı çıkar; bunu sabit bir denetim yapar, gözden "
            "kaçırabilir, yanılabilir: en iyi İngilizceyi, ondan daha az Türkçeyi bilir; başka "
            "birkaç dilde yalnızca ruhsal krizleri tanır. Uyarı, cihazınızın saat diliminin ait "
            "olduğu ülkenin numaralarını gösterir; orada başka bir ülke seçebilirsiniz. Seçiminiz "
            "yalnızca tarayıcınızda hatırlanır.",
        ),
        (
            "Ne saklanır",
            "Yazdığınız hiçbir şey sunucuda saklanmaz, günlük kaydına yazılmaz. Konuşma bu "
            "sayfadadır; tarayıcınızdan saklamasını istemediyseniz sayfayı kapattığınızda ya da "
            "yenilediğinizde silinir. Yine de ad ya da bir kişiyi tanıtan başka bir bilgi "
            "yazmayın.",
        ),
    )
    PRIVACY_LINK = "Ne saklanır"
    PRIVACY_TITLE = "Ne, nerede, ne kadar süre saklanır"
    PRIVACY_SECTIONS = (
        (
            "Sunucuda: söylenenlerden hiçbir şey",
            "Yazdıklarınız, modelin düşündükleri ve verdiği yanıtlar, sorunuz yanıtlanırken "
            "sunucunun belleğindedir, sonra silinir. Sayfanızın bağlantısı koparsa yanıt orada "
            "iki dakika ya da site sahibinin belirlediği süre boyunca bekler; onu yalnızca sizin "
            "sayfanız alabilir. Bunların hiçbiri bir dosyaya, veritabanına, günlüğe ya da "
            "istatistiğe yazılmaz; hiçbiriyle bir model eğitilmez.",
        ),
        (
            "Modeli çalıştıran hizmetin gördüğü",
            "En üstteki satır hangi modelin yanıtladığını söyler. Orada remote yazıyorsa bu sayfa "
            "sorunuzu, öncesindeki konuşmayla birlikte ve adresiniz olmadan, modeli başka bir "
            "yerde çalıştıran bir hizmete gönderir. O hizmetin ne sakladığını sahibi söyler. "
            "Yazmıyorsa model bu sunucuda çalışır ve sorunuz buradan dışarı çıkmaz.",
        ),
        (
            "Yolda başkalarının gördüğü",
            "Her sitede olduğu gibi, bu sayfayı barındıran şirket ağ adresinizi, ne zaman ve ne "
            "kadar veri gönderildiğini görür. Makineyi o çalıştırdığı için içinden geçenleri de "
            "okuyabilir. Aynısı modelin hizmetini barındıran şirket için, sayfaya gradio.live ile "
            "biten bir adresten ulaşılıyorsa Gradio'nun aktarıcısı için de geçerlidir.",
        ),
        (
            "Tarayıcınızda: saklamasını istedikleriniz",
            "Konuşmalar bölümünden açmadıkça konuşmanın hiçbir bölümü saklanmaz. Açarsanız "
            "sorularınız ve yanıtlar, akıl yürütme olmadan, modelin adı ve ayarlarla birlikte bu "
            "cihazdaki bu tarayıcıda durur; şifrelenmez, tarayıcıyı kullanan herkes okuyabilir. "
            "Saklanmak üzere hiçbir yere gönderilmez; siz orada birini ya da hepsini silene kadar "
            "kalır. Kapatmak yalnızca sonrakilerin saklanmasını önler. Geçici konuşma saklanmaz. "
            "Bir güvenlik uyarısından sonra konuşmanın devamı saklanmaz. Dışa aktardığınız dosya "
            "bu tarayıcıda yapılır ve her dosyanız gibi sizindir.",
        ),
        (
            "Tarayıcınızda: sayfanın gereksindikleri",
            "Bir soru yanıtlanırken ve dil değiştirirken konuşma, yazmakta olduğunuz metin ve o "
            "sırada duran güvenlik uyarısı bu sekmenin kendi deposunda da durur; böylece yeniden "
            "yüklenen sayfa kaldığı yerden sürdürebilir. Yanıt bitince oradan alınır, sekme "
            "kapanınca silinir. Sekmenin hangi saklanmış konuşmayı gösterdiği de böyle saklanır. "
            "Cihazınızın saat dilimi, acil çağrı numaraları için yalnızca tarayıcıda "
            "karşılaştırılır ve hiçbir yere gönderilmez. Acil çağrı numaralarını seçtiğiniz ülke "
            "ve seçtiğiniz dil, başkasını seçene kadar hatırlanır. Çerez yoktur, üçüncü taraf "
            "betikleri yoktur.",
        ),
        (
            "Başka programlar",
            "Bir program da bu sayfaya soru sorabilir; burada söylenenler onun soruları için de "
            "geçerlidir. Programın ne sakladığını, onu çalıştıran söyler.",
        ),
        (
            "Sunucunun belleğinde: ne sıklıkta sorduğunuz",
            "Bir ziyaretçi herkese ait olanı tüketmesin diye sunucu, her birinin ne sıklıkta "
            "sorduğunu ve oy verdiğini bilir. Bunun için bu zamanları, ağ adresinizden rastgele "
            "bir anahtarla üretilmiş bir sayının yanında tutar. İkisi de sonuncusundan yaklaşık "
            "bir saat sonra, anahtar her yeniden başlatmada silinir; hiçbiri bir yere yazılmaz.",
        ),
        (
            "Neler sayılır",
            "Yanıtın altında oy düğmeleri varsa birine basmak bir sayıyı bir artırır: o oyun ve "
            "listeden seçtiğiniz nedenin sayısını. Onunla başka hiçbir şey gönderilmez: ne metin, "
            "ne de hangi yanıt olduğu. Her yanıt sunucunun günlüğünde bir satır bırakır: zaman, "
            "rastgele bir başvuru kodu, nasıl bittiği, ne kadar sürdüğü, kaç belirteç olduğu ve "
            "varsa sorunuzun uyduğu güvenlik kurallarının adları. Geri çevrilen bir soru da, "
            "nedeniyle birlikte, bir satır bırakır. Sayfanın sahibi bunların toplamlarını "
            "okuyabilir. Aralarında metin ve adres yoktur.",
        ),
    )
    BACK = "Konuşmaya dön"

    COMPARE = "Temel modelle karşılaştır"
    COMPARE_TAGLINE = "Bir soru, iki model"
    COMPARE_INTRO = (
        "Sorduğunuz soru, aynı ayarlarla, hem uyarlanmış modele hem de uyarlanmamış temel modele "
        "gider; her birine bildiği biçimde sorulur ve yalnızca bu soru iletilir. Hiçbiri "
        "saklanmaz, sonraki soru onun yerini alır."
    )
    QUESTION_ASKED = "Soru"
    WITH_ADAPTER = "Uyarlanmış"
    WITHOUT_ADAPTER = "Uyarlanmamış temel model"
    NEW_QUESTION = "Baştan başla"
    ALONE = "Bu sayfada tek model var, karşılaştırılacak başka model yok."
    ALONE_YET = (
        "Model hazır olmadan karşılaştırılacak bir temel model olup olmadığı bilinmez: önce ona "
        "bir soru sorun, sonra bu sayfayı yenileyin."
    )

    SEND = "Sor"
    STOP = "Durdur"
    NEW = "Yeni konuşma"
    CONVERSATIONS = "Konuşmalar"
    TEMPORARY = "Geçici konuşma"
    KEEP = "Konuşmaları bu tarayıcıda sakla"
    KEEP_INFO = (
        "Akıl yürütme olmadan sorular ve yanıtlar, yalnızca bu cihazda ve şifrelenmeden. Bu "
        "tarayıcıyı kullanan herkes okuyabilir."
    )
    KEPT_NONE = "Henüz saklanmış konuşma yok."
    IMPORT = "İçe aktar"
    EXPORT_ALL = "Hepsini dışa aktar"
    DELETE_ALL = "Hepsini sil"
    CLOSE = "Kapat"
    EXPORT = "Dışa aktar"
    EXPORT_TITLE = "Bu konuşmayı dışa aktar"
    EXPORT_INFO = "Dosya bu tarayıcıda yapılır; bunun için hiçbir şey gönderilmez."
    EXPORT_REASONING = "Akıl yürütmeyle birlikte (doğrulanmamış çalışma notları)"
    EXPORT_MARKDOWN = "Markdown biçiminde"
    EXPORT_JSON = "JSON biçiminde"
    EXPORT_PRINT = "Yazdır ya da PDF"
    SETTINGS = "Ayarlar"
    EFFORT = "Akıl yürütme çabası"
    EFFORT_INFO = "Modelin yanıttan önce ne kadar düşüneceği."
    EFFORTS = (("Düşük", "low"), ("Orta", "medium"), ("Yüksek", "high"))
    LENGTH = "En uzun yanıt, belirteç olarak"
    LENGTH_INFO = (
        "Akıl yürütme ve yanıt birlikte; İngilizcede bir belirteç bir sözcüğün dörtte üçü kadardır."
    )
    TEMPERATURE = "Sıcaklık"
    TEMPERATURE_INFO = "0 en öngörülebilir olanıdır."

    UNVERIFIED = "doğrulanmamış çalışma notları"
    TRACE = "Akıl yürütme"
    NO_TRACE = "Akıl yürütme bu sayfada kapalıdır."
    THINKING = "Düşünüyor"
    REASONING = "Akıl yürütme, doğrulanmamış çalışma notları:"
    AGAIN = "Yeniden dene"
    MORE_ROOM = "Daha çok yer vererek yeniden dene"
    CONTINUE = "Sürdür"
    WITH_EFFORT: ClassVar[dict[Effort, str]] = {
        Effort.LOW: "Düşük çabayla dene",
        Effort.MEDIUM: "Orta çabayla dene",
        Effort.HIGH: "Yüksek çabayla dene",
    }
    OF_EFFORT: ClassVar[dict[Effort, str]] = {
        Effort.LOW: "Düşük çaba",
        Effort.MEDIUM: "Orta çaba",
        Effort.HIGH: "Yüksek çaba",
    }

    WAKE = "Model başlatılıyor. Bu birkaç dakika sürebilir; sorunuz bekliyor."
    SLOW = "Model çok uzun sürdüğü için durdurduk. Yeniden deneyebilirsiniz. (kod {ref})"
    BUSY = "Şu anda çok kişi soru soruyor. Lütfen yaklaşık {n} saniye sonra yeniden deneyin."
    DOWN = (
        "Modele şu anda ulaşılamıyor. Sorunuz yanıtlanmadı. Yeniden deneyebilirsiniz. (kod {ref})"
    )
    SETUP = (
        "Bu hizmet doğru kurulmadığı için yanıt veremiyor. Sorun bizden kaynaklanıyor. (kod {ref})"
    )
    CUT = "Bu yanıt yarıda kesildi, eksiktir. Ona güvenmeyin. (kod {ref})"
    BAD = "Model okuyamadığımız bir yanıt gönderdi. Yeniden deneyebilirsiniz. (kod {ref})"
    NONE = "Model bir yanıt vermeden bitirdi. Yeniden deneyebilir ya da başka türlü sorabilirsiniz."
    LONG = "İletiniz çok uzun: {n} karakter, en çok {max} olabilir. Lütfen kısaltın."
    CTX = "Sorunuz modelin okuyabileceğinden uzun. Lütfen kısaltın."
    EMPTY = "Lütfen bir soru yazın."
    RATE = "Kısa sürede birkaç soru gönderdiniz. Lütfen {n} saniye bekleyin."
    CAP = "Bugünün ücretsiz kapasitesi doldu. Lütfen yarın yeniden gelin."
    ONE_AT_A_TIME = "Adresinizden gelen bir soru zaten yanıtlanıyor. Lütfen bitmesini bekleyin."
    LOST = "Bağlantı koptu. Metniniz aşağıda duruyor; lütfen yeniden gönderin."
    LOST_GOING = "Bağlantı koptu. Yanıt sürüyor; bağlantı gelince bu sayfa onu kaldığı yerden alır."
    LOST_SENDING = "Bağlantı koptu. Bağlantı gelir gelmez sorunuz gönderilir."
    LOST_OVER = (
        "Bağlantı koptu. Yanıttan burada duran kısım eksiktir: ona güvenmeyin. Bağlantı gelince "
        "yeniden sorabilirsiniz."
    )
    LOST_CUT = "Bu yanıt tamamlanmadan bağlantı koptu. Ona güvenmeyin."
    ELSEWHERE = (
        "Bu yanıt, alındığı başka bir sekmede sürüyor. Burada duran kısım eksiktir: ona güvenmeyin."
    )
    STILL_ANSWERING = (
        "Bir yanıt hâlâ yazılıyor. Bitmesini bekleyin ya da durdurun; metniniz duruyor."
    )
    GOING_ON = "Bu yanıt eksiktir. Model yanıtı sürdürüyor."
    INCOMPLETE = "Bu yanıt eksiktir. Ona güvenmeyin."
    ANSWER_LONG = (
        "Bu yanıt eksiktir ve modelin sürdüremeyeceği kadar uzundur. Ona güvenmeyin. Yalnızca bir "
        "bölümünü sorabilirsiniz."
    )
    STOPPED = "Bu yanıtı siz durdurdunuz, bu yüzden eksiktir. Ona güvenmeyin."
    WITHHELD = (
        "Bu yanıt gösterilmiyor: öldürebilecek bir miktardan ya da yoldan söz ediyordu. Kendinize "
        "zarar vermeyi düşünüyorsanız ya da biri tehlikedeyse hemen bulunduğunuz yerin acil çağrı "
        "numarasını arayın ya da findahelpline.com adresinden bir yardım hattı bulun."
    )
    WITHHELD_THERE = "Bu yanıt gösterilmiyor: modeli çalıştıran hizmet yanıtı engelledi."
    CAUTION = (
        "Bu yanıt bir dozdan ya da bir ilacı değiştirmekten söz ediyor. Yanlış olabilir; size, "
        "bir çocuğa ya da gebelikte uygun olmayabilir. Bir ilacı almadan, değiştirmeden ya da "
        "kesmeden önce hekime ya da eczacıya danışın."
    )
    STOPPED_EARLY = "Model yanıtlamadan durdurdunuz."
    NO_ROOM_LEFT = (
        "Model kendisine ayrılan yerin tamamını düşünmeye harcadı ve bir yanıta ulaşamadı. Daha "
        "çok yer verin ya da daha düşük çaba seçin."
    )
    NOT_LOADED = (
        "Model hazır değil, bu yüzden sorunuz yanıtlanmadı. Yeniden deneyebilirsiniz. (kod {ref})"
    )
    RESTARTING = "Hizmet yeniden başlatılıyor. Lütfen sorunuzu bir dakika sonra yeniden gönderin."

    UNCOUNTED = "Bu sayılamadı. Daha sonra yeniden deneyebilirsiniz."
    BAD_REQUEST = "Sayfa, sunucunun okuyamadığı bir şey gönderdi. Lütfen sayfayı yenileyin."
    NOT_FOUND = "Bu adreste bir şey yok."
    TOO_LARGE = "Bir kerede göndermek için bu çok fazla. Lütfen yeni bir konuşma başlatın."
    BAD_CALL = (
        "Soru bir metin, effort low, medium ya da high, max_tokens ve temperature birer sayı "
        "olmalıdır."
    )
    API = (
        "Tıbbi bir soru sorar; yalnızca eğitim ve araştırma içindir. Sonuç alanlardan oluşur: "
        "notices her şeyin üstünde gösterilmelidir; answer bütün bir yanıttır ya da boştur; "
        "partial bitmemiş olandır."
    )

    SCRIPT: ClassVar[dict[str, str]] = {
        "thinking": "Model düşünüyor.",
        "answering": "Model yanıtlıyor.",
        "done": "Yanıt tamamlandı.",
        "ended": "Yanıt sona erdi; altındaki nota bakın.",
        "compared": "İki yanıt da tamamlandı.",
        "returned": "Bağlantı geri geldi.",
        "copied": "Kopyalandı.",
        "name_conversation": "Konuşma",
        "name_question": "Sorunuz",
        "name_reply": "Yanıt",
        "name_foot": "Bu yanıt hakkında",
        "copy": "İletiyi kopyala",
        "copy_code": "Bu metni kopyala",
        "edit": "Düzenle",
        "submit": "Gönder",
        "retry": "Yeniden dene",
        "scroll_down": "Aşağı kaydır",
        "reset": "Varsayılana dön: {title}",
        "replies": "Bu soruya verilen yanıtlar",
        "earlier": "Önceki yanıt",
        "later": "Sonraki yanıt",
        "reply": "Yanıt {n} / {all}",
        "count": "{n} / {all}",
        "gone": "Bağlantı koptu",
        "kept_broken": "Burada saklanan bir konuşma okunamadığı için silindi.",
        "kept_full": (
            "Bu tarayıcıda yer kalmadı, bu yüzden bu konuşmanın devamı saklanmıyor. "
            "Saklananlardan birini silin."
        ),
        "not_kept": "Bu tarayıcı, sayfanın bir şey saklamasına izin vermiyor.",
        "deleted": "Bu tarayıcıdan silindi.",
        "judge": "Bu yanıtı değerlendirin",
        "good": "İyi yanıt",
        "bad": "Kötü yanıt",
        "why": "Nesi kötü?",
        "reason_wrong": "Yanlış",
        "reason_unclear": "Anlaşılması zor",
        "reason_unsafe": "Güvenli değil",
        "reason_unanswered": "Sorulan bu değildi",
        "reason_long": "Çok uzun",
        "reason_other": "Başka bir neden",
        "thanks": "Teşekkürler. Yalnızca bu seçim sayıldı.",
        "keeping_off": (
            "Bu konuşma geçicidir: sayfayı kapattığınızda ya da yenilediğinizde silinir."
        ),
        "keeping_off_some": (
            "Kapalı: artık hiçbir şey saklanmıyor. Daha önce saklananlar siz silene kadar kalır."
        ),
        "keeping_temporary": "Bu konuşma geçicidir: saklanmaz.",
        "keeping_on": "Bu konuşma bu tarayıcıda saklanıyor.",
        "keeping_warned": "Güvenlik uyarısından sonra bu konuşmanın devamı saklanmıyor.",
        "rename": "Yeniden adlandır",
        "rename_this": "“{title}” konuşmasını yeniden adlandır",
        "save": "Kaydet",
        "cancel": "Vazgeç",
        "delete": "Sil",
        "delete_this": "“{title}” konuşmasını sil",
        "delete_sure": "“{title}” bu tarayıcıdan silinsin mi?",
        "delete_all_sure": "{n} konuşmanın hepsini gerçekten sil",
        "imported": "Eklenen konuşma sayısı: {n}.",
        "import_left": (
            "Saklanmayan kısımlar alınmadı: bir güvenlik uyarısından sonrası ve çok uzun bir "
            "konuşmanın en eski soruları."
        ),
        "import_broken": "Bu dosya, bu sayfanın konuşmaları olarak okunamadı. Bir şey değişmedi.",
        "import_new": "Bu dosya bu sayfanın daha yeni bir sürümünden. Bir şey değişmedi.",
        "import_full": "Bu tarayıcıda dosyadakiler için yer yok. Bir şey değişmedi.",
        "nothing_to_export": "Sayfada henüz bir konuşma yok.",
        "begun_on": "Başlangıç: {date}",
        "exported_on": "Dışa aktarma: {date}",
        "safety_notice": "Güvenlik uyarısı (sabit metin, modelin yazdığı değil)",
        "fixed_reply": "Sabit yanıt (modelin yazdığı değil)",
        "asked": "Soru",
        "asked_on": "Soru, {date}",
        "answer": "Yanıt",
        "answer_of": "Yanıt {n} / {count}",
        "how_ended": "Nasıl bitti: {ending}",
        "ended_finished": "tamamlandı",
        "ended_length": "yer bitti, eksik",
        "ended_stopped": "ziyaretçi durdurdu, eksik",
        "ended_interrupted": "yarıda kesildi, eksik",
        "ended_failed": "başarısız, yanıt yok",
        "ended_withheld": "gösterilmedi",
        "ended_fixed": "hiçbir modele sorulmadı",
        "ended_unfinished": "bitmedi, eksik",
        "fact_model": "Modelin adı: {value}",
        "fact_revision": "Sürüm: {value}",
        "fact_adapter": "Uyarlama: {value}",
        "fact_effort": "Akıl yürütme çabası: {value}",
        "fact_length": "En uzun yanıt: {value} belirteç",
        "fact_temperature": "Sıcaklık: {value}",
    }

    READY = "hazır"
    ASLEEP = "uykuda olabilir; sorunuz onu uyandırır"
    FAILED = "kullanılamıyor"
    STAGES: ClassVar[dict[Stage, str]] = {
        Stage.QUEUED: "Boş yer bekleniyor",
        Stage.FETCHING: "Model indiriliyor",
        Stage.LOADING: "Model yükleniyor",
        Stage.ADAPTING: "Uyarlama uygulanıyor",
        Stage.WARMING: "Model ısınıyor",
        Stage.CONNECTING: "Modele ulaşılıyor",
        Stage.WAKING: "Model uyandırılıyor",
        Stage.READING: "Sorunuz okunuyor",
        Stage.GENERATING: "Çalışıyor",
    }
    SENDING = "Sorunuz gönderiliyor"
    NEXT = "Sırada siz varsınız"
    PLACE = "Kuyrukta {n}. sıradasınız"
    THOUGHT = "{duration} düşündü"
    SECONDS = "{n} sn"
    MINUTES = "{minutes} dk {seconds:02d} sn"
    PERCENT = "%{n}"
    DECIMAL = ","
    FIRST = "ilk belirteç {n} sn sonra"
    SPEED = "saniyede {n} belirteç"
    TOKENS = "{n} belirteç"
    IN_ALL = "toplam {n} sn"
    UNRELIABLE = (
        "{model}, bu sayfayı denemek için çok küçük bir modeldir. Tıp hakkında söyledikleri çoğu "
        "zaman yanlıştır: kullanmayın."
    )
    LEFT_OUT_ONE = "Model ilk soruyu artık okumuyor: konuşma onun için çok uzun."
    LEFT_OUT = "Model ilk {n} soruyu artık okumuyor: konuşma onun için çok uzun."
    READ_FROM = "Model bu konuşmayı {n}. sorudan başlayarak okuyor."
    FILLED_ALL = (
        "Bu konuşma modelin okuyabileceğinin tamamını dolduruyor: sırada en eski soru çıkar."
    )
    FILLED = "Bu konuşma modelin okuyabileceğinin {percent} kadarını dolduruyor."
    FILLED_ABOUT = "Bu konuşma modelin okuyabileceğinin yaklaşık {percent} kadarını dolduruyor."

    WHY: ClassVar[dict[Reason, str]] = {
        Reason.CHOSEN: "BACKEND, {backend} olarak ayarlanmış.",
        Reason.ENDPOINT: "MODAL_ENDPOINT değişkeni verilmiş.",
        Reason.GPU: "torch, {memory} GB bellekli bir GPU görüyor.",
        Reason.NO_GPU: "Uç nokta verilmemiş, NVIDIA GPU da yok; bu yüzden CPU yanıtlıyor.",
        Reason.NO_LIBRARIES: (
            "Burada bir NVIDIA GPU var ama onu kullanacak kitaplıklar yok; bu yüzden küçük gömülü "
            "model CPU üzerinde yanıtlıyor. GPU'yu kullanmak için: {install}"
        ),
        Reason.SMALL_GPU: (
            "GPU'nun {memory} GB belleği var, gpt-oss {needed} GB ister; bu yüzden küçük gömülü "
            "model CPU üzerinde yanıtlıyor."
        ),
        Reason.UNSEEN_GPU: (
            "torch NVIDIA GPU'yu görmüyor; bu yüzden küçük gömülü model CPU üzerinde yanıtlıyor."
        ),
    }

    def small(self, sentence: str) -> str:
        # Python's own way makes of İ two letters, and of I one that Turkish does not mean.
        first = {"I": "ı", "İ": "i"}.get(sentence[:1], sentence[:1].lower())
        return first + sentence[1:]
